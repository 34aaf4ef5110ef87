"""The use cases: get, command, save. The only door to the aggregates.

`along` is what an outer layer writes in the same transaction as the events (read positions, password digests,
idempotency keys); it is given the open transaction and is called even when there was nothing to record. Whatever it
raises undoes the whole.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.persistence import InfrastructureFactory, IntegrityError
from eventsourcing.utils import Environment as LibrarySettings

from domain.access import SERVICE, Actor
from domain.aggregate import Noun
from domain.config.checks import check_dataset, check_startable, check_training, frozen, unusable_choices
from domain.config.effective import check_environment, effective_config, is_default_environment, wants_defaults
from domain.config.forms import normalise_dataset, normalise_keys
from domain.config.secrets import check_no_secrets
from domain.dataset import Dataset
from domain.environment import Environment
from domain.errors import InvalidInput, NotFound, Problem, StaleVersion
from domain.policy import POLICY_ID, Policy
from domain.training_run import RunState, StopMode, TrainingRun
from domain.user import User

Along = Callable[[Any], None]
AlongNew = Callable[[Any, UUID], None]
"""For a use case that creates something: it is given the new id, too."""

Aggregate = TypeVar("Aggregate", bound=Noun)

MAX_TRIES = 30
MAX_NAME_LENGTH = 100
CACHE_SIZE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentEdit:
    """What an environment shall be, when somebody changed more than its options at once, as a folder of files does.

    expected_revision: the newest. config: all of it. datasets: by id, the newest revision and what becomes of existing
    ones. new_datasets: by name. order: the datasets to train on, by id, new ones by name. about: arguments of Environment.describe, or None.
    """

    expected_revision: int
    config: Mapping[str, Any]
    datasets: Mapping[UUID, tuple[int, Mapping[str, Any]]] = field(default_factory=dict)
    new_datasets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    order: Sequence[UUID | str] = ()
    about: Mapping[str, Any] | None = None


class SimpleTuner(Application[UUID]):
    name = "simpletuner"

    def __init__(self, factory: InfrastructureFactory[Any]) -> None:
        self._factory = factory
        super().__init__()

    def construct_env(self, name: str, env: Mapping[str, str] | None = None) -> LibrarySettings:
        """The process environment is not read here."""
        return LibrarySettings(name, {self.AGGREGATE_CACHE_MAXSIZE: str(CACHE_SIZE)})

    def construct_factory(self, env: LibrarySettings) -> InfrastructureFactory[Any]:
        return self._factory

    # ---- users

    def register_user(self, actor: Actor, *, levels: Sequence[str], along: AlongNew, is_waiting: bool = False) -> UUID:
        """is_waiting: somebody has to approve it before it can sign in."""
        self.policy().check_levels(levels)
        user = User.register(actor, levels=levels)
        if is_waiting:
            user.await_approval(actor)
        self._save_new(user, along=along)
        return user.id

    def change_user(self, user_id: UUID, command: Callable[[User], None], *, along: Along | None = None) -> User:
        """One or several commands of a user at once, saved together."""
        return self._change(User, user_id, command, along=along)

    def user(self, user_id: UUID) -> User:
        return self._get(User, user_id)

    # ---- policy

    def policy(self) -> Policy:
        """As it is now; one that has not begun when nothing was ever changed."""
        try:
            policy: Policy = self.repository.get(POLICY_ID)
        except AggregateNotFoundError:
            return Policy.begin()
        return policy

    def change_policy(self, command: Callable[[Policy], None], *, along: Along | None = None) -> Policy:
        for _ in range(MAX_TRIES):
            policy = self.policy()
            command(policy)
            try:
                self.save(policy, along=along)
            except IntegrityError:
                continue
            return policy
        raise StaleVersion("the policy is being changed by others all the time; try again")

    # ---- datasets

    def create_dataset(
        self, actor: Actor, *, name: str, config: Mapping[str, Any], along: AlongNew | None = None
    ) -> UUID:
        dataset = _new_dataset(actor, name=name, config=config, before={})
        self._save_new(dataset, along=along)
        return dataset.id

    def create_datasets(
        self, actor: Actor, *, new_datasets: Mapping[str, Mapping[str, Any]], along: AlongNew | None = None
    ) -> list[UUID]:
        """By name, at least one, in one transaction; along is given the id of the first."""
        first, *others = [_new_dataset(actor, name=name, config=config) for name, config in new_datasets.items()]
        self._save_new(first, *others, along=along)
        return [first.id, *(dataset.id for dataset in others)]

    def change_dataset(
        self,
        actor: Actor,
        dataset_id: UUID,
        *,
        expected_revision: int,
        set: Mapping[str, Any],
        unset: Sequence[str] = (),
    ) -> None:
        def command(dataset: Dataset) -> None:
            config = _edited(dataset.config, set=normalise_dataset(set), unset=unset)
            kept = _checked_dataset(dataset.name, config, before=dataset.config)
            dataset.change(actor, expected_revision=expected_revision, config=kept)

        self._change(Dataset, dataset_id, command)

    def edit_captions(
        self,
        actor: Actor,
        dataset_id: UUID,
        *,
        operation: str,
        num_images: int,
        along: Callable[[Any, int], None],
    ) -> int:
        """along: is given the number of the edit, which is returned."""
        numbers = []

        def command(dataset: Dataset) -> None:
            numbers.append(dataset.edit_captions(actor, operation=operation, num_images=num_images))

        self._change(Dataset, dataset_id, command, along=lambda transaction: along(transaction, numbers[-1]))
        return numbers[-1]

    def delete_dataset(self, actor: Actor, dataset_id: UUID) -> None:
        self._change(Dataset, dataset_id, lambda dataset: dataset.delete(actor))

    # ---- environments

    def create_environment(
        self,
        actor: Actor,
        *,
        name: str,
        config: Mapping[str, Any],
        dataset_ids: Sequence[UUID | str] = (),
        new_datasets: Mapping[str, Mapping[str, Any]] | None = None,
        description: str = "",
        tags: Sequence[str] = (),
        is_template: bool = False,
        keep_unknown: bool = False,
        along: AlongNew | None = None,
    ) -> UUID:
        """new_datasets: by name, datasets that are created with it, in the same transaction.

        dataset_ids: what to train on, in order; a name is one of the new ones, and those not named come last.
        keep_unknown: keys that nobody knows were not mistyped, but come from somewhere else.
        """
        written = normalise_keys(config)
        check_no_secrets(written, place="environment")
        before: dict[str, Any] | None = None if keep_unknown else {}
        check_environment(_checked_name(name), written, before=before)
        new = {
            key: _new_dataset(actor, name=key, config=value, before=before)
            for key, value in (new_datasets or {}).items()
        }
        for dataset_id in dataset_ids:
            if isinstance(dataset_id, UUID):
                self._get(Dataset, dataset_id)
        order = [*dataset_ids, *(name for name in new if name not in dataset_ids)]
        environment = Environment.create(
            actor,
            name=_checked_name(name),
            config=written,
            dataset_ids=[new[each].id if isinstance(each, str) else each for each in order],
        )
        environment.describe(actor, description=description, tags=tags, is_template=is_template)
        self._save_new(environment, *new.values(), along=along)
        return environment.id

    def change_environment(
        self,
        actor: Actor,
        environment_id: UUID,
        *,
        expected_revision: int,
        set: Mapping[str, Any],
        unset: Sequence[str] = (),
        dataset_ids: Sequence[UUID] | None = None,
    ) -> None:
        """dataset_ids: the new datasets in their order, or None to keep them."""
        for dataset_id in dataset_ids or ():
            self._get(Dataset, dataset_id)

        def command(environment: Environment) -> None:
            config = _edited(environment.config, set=normalise_keys(set), unset=unset)
            check_no_secrets(config, place="environment")
            check_environment(environment.name, config, before=environment.config)
            environment.change(
                actor,
                expected_revision=expected_revision,
                config=config,
                dataset_ids=environment.dataset_ids if dataset_ids is None else dataset_ids,
            )

        self._change(Environment, environment_id, command)

    def restore_environment(self, actor: Actor, environment_id: UUID, *, revision: int) -> None:
        """Bring configuration and datasets back to a version; what has been deleted since is not brought back."""

        def command(environment: Environment) -> None:
            config, dataset_ids = environment.at(revision)
            check_no_secrets(config, place="environment")
            check_environment(environment.name, config)
            for dataset_id in dataset_ids:
                self._get(Dataset, dataset_id)
            environment.restore(actor, revision=revision)

        self._change(Environment, environment_id, command)

    def rename_environment(self, actor: Actor, environment_id: UUID, *, name: str) -> None:
        checked = _checked_name(name)

        def command(environment: Environment) -> None:
            check_environment(checked, environment.config)
            environment.rename(actor, name=checked)

        self._change(Environment, environment_id, command)

    def describe_environment(
        self,
        actor: Actor,
        environment_id: UUID,
        *,
        description: str | None = None,
        tags: Sequence[str] | None = None,
        is_template: bool | None = None,
    ) -> None:
        """What it is for, and whether others begin from it; what is None stays."""
        self._change(
            Environment,
            environment_id,
            lambda environment: environment.describe(
                actor, description=description, tags=tags, is_template=is_template
            ),
        )

    def take_in_environment(
        self,
        actor: Actor,
        environment_id: UUID,
        edit: EnvironmentEdit,
        *,
        along: Along | None = None,
    ) -> None:
        """Record what somebody did to an environment and its datasets at once, in one transaction, made from its newest
        version. Raises StaleVersion when others were faster."""
        environment = self._get(Environment, environment_id)
        datasets = []
        for dataset_id, (revision, config) in edit.datasets.items():
            dataset = self._get(Dataset, dataset_id)
            kept = _checked_dataset(dataset.name, normalise_dataset(config))
            dataset.change(actor, expected_revision=revision, config=kept)
            datasets.append(dataset)
        made = {name: _new_dataset(actor, name=name, config=config) for name, config in edit.new_datasets.items()}
        check_no_secrets(edit.config, place="environment")
        check_environment(environment.name, edit.config)
        environment.change(
            actor,
            expected_revision=edit.expected_revision,
            config=edit.config,
            dataset_ids=[made[each].id if isinstance(each, str) else each for each in edit.order],
        )
        if edit.about is not None:
            environment.describe(actor, **edit.about)
        try:
            self.save(*datasets, *made.values(), environment, along=along)
        except IntegrityError as error:
            raise StaleVersion(f"the environment {environment.name!r} was changed by others meanwhile") from error

    def delete_environment(self, actor: Actor, environment_id: UUID) -> None:
        self._change(Environment, environment_id, lambda environment: environment.delete(actor))

    # ---- runs, as people ask for them

    def request_run(
        self,
        actor: Actor,
        *,
        environment_id: UUID,
        name: str,
        expected_revision: int | None = None,
        default_environment_id: UUID | None = None,
        devices: Sequence[int] = (),
        along: AlongNew | None = None,
    ) -> UUID:
        """Freeze the environment's configuration and its datasets into a new run. Raises StaleVersion, InvalidInput.

        default_environment_id: of the environment `default`, which counts when this one asks for it.
        """
        environment = self._get(Environment, environment_id)
        if expected_revision not in (None, environment.revision):
            raise StaleVersion(
                f"the environment {environment.name!r} is at version {environment.revision}, not {expected_revision}; "
                "look at the change and start again",
                path=("expectedVersion",),
            )
        default = self._default_for(environment, default_environment_id)
        merged = effective_config(environment.config, default.config if default else None)
        check_no_secrets(merged, place="environment")
        config = check_training(merged)
        check_startable(config)
        datasets = [self._get(Dataset, dataset_id) for dataset_id in environment.dataset_ids]
        if all(dataset.config.get("dataset_type") == "eval" for dataset in datasets):
            raise InvalidInput(
                f"the environment {environment.name!r} has no dataset to train on; add one", path=("environmentId",)
            )
        run = TrainingRun.request(
            actor,
            name=name,
            environment_id=environment.id,
            environment_revision=environment.revision,
            default_environment_revision=default.revision if default else None,
            config=frozen(config, merged),
            datasets=[_frozen(dataset) for dataset in datasets],
            devices=devices,
        )
        self._save_new(run, along=along)
        return run.id

    def _default_for(self, environment: Environment, default_id: UUID | None) -> Environment | None:
        """The environment `default`, where it counts: for those that ask for it, and never for itself."""
        if default_id is None or default_id == environment.id or not wants_defaults(environment.config):
            return None
        try:
            default = self._get(Environment, default_id)
        except NotFound:
            return None
        return default if is_default_environment(default.name) else None

    def stop_run(self, actor: Actor, run_id: UUID, *, mode: StopMode) -> None:
        self._change(TrainingRun, run_id, lambda run: run.request_stop(actor, mode=mode))

    def resume_run(
        self,
        actor: Actor,
        run_id: UUID,
        *,
        changes: Mapping[str, Any] | None = None,
        from_step: int | None = None,
        along: Along | None = None,
    ) -> None:
        """changes: options that have another value from now on. Raises InvalidInput."""

        def resume(run: TrainingRun) -> None:
            if changes:
                check_training(run.config | dict(changes))
            run.resume(actor, changes=changes, from_step=from_step)

        self._change(TrainingRun, run_id, resume, along=along)

    def pin_checkpoint(self, actor: Actor, run_id: UUID, *, step: int, pinned: bool) -> None:
        self._change(TrainingRun, run_id, lambda run: run.pin_checkpoint(actor, step=step, pinned=pinned))

    def request_checkpoint(self, actor: Actor, run_id: UUID) -> None:
        self._change(TrainingRun, run_id, lambda run: run.request_checkpoint(actor))

    def request_validation(self, actor: Actor, run_id: UUID) -> None:
        self._change(TrainingRun, run_id, lambda run: run.request_validation(actor))

    # ---- runs, as the supervisor sees them

    def queue_run(self, run_id: UUID) -> None:
        self._change(TrainingRun, run_id, lambda run: run.queue())

    def start_run(self, run_id: UUID) -> TrainingRun:
        return self._change(TrainingRun, run_id, lambda run: run.start())

    def end_run(self, run_id: UUID, *, outcome: RunState, reason: str | None) -> None:
        self._change(TrainingRun, run_id, lambda run: run.end(SERVICE, outcome=outcome, reason=reason))

    def record_facts(self, run_id: UUID, record: Callable[[TrainingRun], None], *, along: Along) -> None:
        """What the journal of a run says, together with the position up to which it has been read."""
        self._change(TrainingRun, run_id, record, along=along)

    def run(self, run_id: UUID) -> TrainingRun:
        return self._get(TrainingRun, run_id)

    # ---- get, command, save

    def _get(self, kind: type[Aggregate], aggregate_id: UUID) -> Aggregate:
        try:
            aggregate: Any = self.repository.get(aggregate_id)
        except AggregateNotFoundError:
            aggregate = None
        if not isinstance(aggregate, kind) or getattr(aggregate, "deleted", False):
            raise NotFound(f"there is no {_spoken(kind)} with that id")
        return aggregate

    def _save_new(self, created: Noun, *others: Noun, along: AlongNew | None) -> None:
        self.save(*others, created, along=(lambda transaction: along(transaction, created.id)) if along else None)

    def _change(
        self,
        kind: type[Aggregate],
        aggregate_id: UUID,
        command: Callable[[Aggregate], None],
        *,
        along: Along | None = None,
    ) -> Aggregate:
        """Repeats get and command when somebody else saved in between, so that the command decides on what is true."""
        for _ in range(MAX_TRIES):
            aggregate = self._get(kind, aggregate_id)
            command(aggregate)
            try:
                self.save(aggregate, along=along)
            except IntegrityError:
                continue
            return aggregate
        raise StaleVersion(f"the {_spoken(kind)} is being changed by others all the time; try again")


def _new_dataset(
    actor: Actor, *, name: str, config: Mapping[str, Any], before: Mapping[str, Any] | None = None
) -> Dataset:
    checked = _checked_name(name)
    return Dataset.create(
        actor, name=checked, config=_checked_dataset(checked, normalise_dataset(config), before=before)
    )


def _checked_dataset(
    name: str, config: Mapping[str, Any], *, before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The configuration as it is kept: what was written, with the dataset's name as its id; before: as in check_dataset."""
    kept = {**config, "id": name}
    check_no_secrets(kept, place="dataset")
    check_dataset(kept, before=before)
    return kept


def _checked_name(name: str) -> str:
    """Names become folders and stand in addresses. Raises InvalidInput."""
    stripped = name.strip()
    if not stripped or len(stripped) > MAX_NAME_LENGTH:
        raise InvalidInput(f"a name has 1 to {MAX_NAME_LENGTH} characters, not {len(stripped)}", path=("name",))
    if stripped.startswith(".") or any(sign in '/\\:*?"<>|' or not sign.isprintable() for sign in stripped):
        raise InvalidInput(
            f'{stripped!r} cannot be a name: it may not start with a dot or contain / \\ : * ? " < > |', path=("name",)
        )
    return stripped


def _edited(config: Mapping[str, Any], *, set: Mapping[str, Any], unset: Sequence[str]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in unset} | dict(set)


def _frozen(dataset: Dataset) -> dict[str, Any]:
    check_no_secrets(dataset.config, place="dataset")
    config = check_dataset(dataset.config)
    problems = tuple(unusable_choices(config))
    if problems:
        raise InvalidInput.from_problems(
            [Problem(f"dataset {dataset.name!r}: {problem.message}", ("environmentId",)) for problem in problems]
        )
    return {
        "id": str(dataset.id),
        "revision": dataset.revision,
        "name": dataset.name,
        "config": frozen(config, dataset.config),
    }


def _spoken(kind: type[Noun]) -> str:
    return "run" if kind is TrainingRun else kind.__name__.lower()
