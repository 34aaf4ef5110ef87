"""The operations that clients rely on validate against schema.graphql, as far as they are built."""

from pathlib import Path

import pytest
from graphql import DocumentNode, FragmentDefinitionNode, OperationDefinitionNode, build_schema, parse, validate

ROOT = Path(__file__).parents[2]
SCHEMA = build_schema((ROOT / "schema.graphql").read_text())
DOCUMENT = parse((ROOT / "tests/service/operations.graphql").read_text())
FRAGMENTS = [each for each in DOCUMENT.definitions if isinstance(each, FragmentDefinitionNode)]
OPERATIONS = {
    each.name.value: each for each in DOCUMENT.definitions if isinstance(each, OperationDefinitionNode) and each.name
}
EXPECTED = {
    *("Setup", "CompleteSetup", "SignIn", "SignOut", "Viewer", "CreateApiKey", "RevokeApiKey"),
    *("CreateUser", "UpdateUser", "DeleteUser", "Users", "Levels", "CreateLevel", "Audit"),
    *("ModelFamilies", "ConfigSchema", "Examples", "Environments", "Environment"),
    *("CreateEnvironment", "UpdateEnvironment", "RenameEnvironment", "DeleteEnvironment", "RestoreEnvironment"),
    "ImportEnvironments",
    "Preflight",
    *("Browse", "CreateFolder", "BeginUpload"),
    *("Datasets", "CreateDataset", "UpdateDataset", "DeleteDataset", "ScanDataset", "DatasetImages"),
    "SetCaptions",
    *("StartTraining", "StopTraining", "ResumeTraining", "RequestCheckpoint", "RequestValidation"),
    *("Runs", "Run", "RunUpdates", "RunsChanged"),
}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_operation_is_offered_in_its_shape(name: str) -> None:
    operation = OPERATIONS[name]
    spreads = operation.loc.source.body[operation.loc.start : operation.loc.end] if operation.loc else ""
    used = [fragment for fragment in FRAGMENTS if f"...{fragment.name.value}" in spreads.replace(" ", "")]
    errors = validate(SCHEMA, DocumentNode(definitions=(operation, *used)))
    assert [error.message for error in errors] == []
