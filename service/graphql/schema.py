"""The one schema: every noun's queries and mutations, and the subscriptions."""

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import merge_types
from strawberry.types.execution import ExecutionContext

from service.graphql.account import AccountMutation, AccountQuery
from service.graphql.audit import AuditQuery
from service.graphql.auth_provider import AuthProviderMutation, AuthProviderQuery
from service.graphql.context import Info
from service.graphql.dataset import DatasetMutation, DatasetQuery, load_dataset
from service.graphql.dataset_captions import CaptionMutation
from service.graphql.dataset_exclusion import ExclusionMutation
from service.graphql.directory import DirectoryMutation, DirectoryQuery
from service.graphql.environment import EnvironmentMutation, EnvironmentQuery, load_environment
from service.graphql.environment_import import ImportMutation
from service.graphql.errors import ShowOnlyRefusals
from service.graphql.families import FamilyQuery
from service.graphql.limits import LIMITS
from service.graphql.node import Node
from service.graphql.options import OptionQuery
from service.graphql.policy import PolicyMutation, PolicyQuery
from service.graphql.preflight import PreflightQuery
from service.graphql.rules import Shows
from service.graphql.scalars import SCALARS, split_id
from service.graphql.scan import ScanSubscription
from service.graphql.secret import SecretMutation, SecretQuery
from service.graphql.subscriptions import RunSubscription
from service.graphql.training_run import RunMutation, RunQuery, load_run
from service.graphql.upload import UploadMutation, UploadQuery
from service.graphql.user import UserMutation, UserQuery, load_user


@strawberry.type
class NodeQuery:
    @strawberry.field(
        description="Anything by its global id; null when there is nothing with it.", extensions=[Shows()]
    )
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:
        match split_id(id)[0]:
            case "Environment":
                return await load_environment(info, id)
            case "Dataset":
                return await load_dataset(info, id)
            case "TrainingRun":
                return await load_run(info, id)
            case "User":
                return await load_user(info, id)
        return None


Query = merge_types(
    "Query",
    (
        *(NodeQuery, AccountQuery, UserQuery, PolicyQuery, AuthProviderQuery, AuditQuery),
        *(SecretQuery, FamilyQuery, OptionQuery, EnvironmentQuery, PreflightQuery, DatasetQuery, RunQuery),
        *(DirectoryQuery, UploadQuery),
    ),
)
Mutation = merge_types(
    "Mutation",
    (
        *(AccountMutation, UserMutation, PolicyMutation, AuthProviderMutation),
        *(SecretMutation, EnvironmentMutation, ImportMutation, RunMutation),
        *(DatasetMutation, CaptionMutation, ExclusionMutation),
        *(DirectoryMutation, UploadMutation),
    ),
)
Subscription = merge_types("Subscription", (RunSubscription, ScanSubscription))


class Schema(strawberry.Schema):
    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Nothing is logged here: refusals are no errors of ours, and ShowOnlyRefusals logs the rest."""


schema = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    config=StrawberryConfig(scalar_map=SCALARS),
    extensions=[
        ShowOnlyRefusals,
        *LIMITS,
    ],
)
