"""What a user did wrong. Each message is one line that names the place, the rule, the value and the next step."""


class McpBenchError(Exception):
    """A user's mistake: shown as one line, exit code 4 under pytest and 2 in the `mcpbench` command."""


class CaseError(McpBenchError):
    """A case file, a tool file or a row of training data that breaks its form."""


class ModelError(McpBenchError):
    """A model that cannot be found, read or trusted."""


class MissingExtraError(ModelError):
    """A model or command that needs an optional dependency which is not installed."""


class OptionError(McpBenchError):
    """An option with a value it cannot take."""


class FormatError(McpBenchError):
    """A wire format that does not exist, or calls that it cannot carry."""


class ResultError(McpBenchError):
    """A result file that cannot be read, or that another schema wrote."""


class ConfigError(McpBenchError):
    """A training configuration with values it cannot take; all of them are named at once."""


class TrainingError(McpBenchError):
    """Training that cannot start or go on: its data, its output folder, its model or its machine."""
