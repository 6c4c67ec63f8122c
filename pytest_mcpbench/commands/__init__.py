"""The subcommands of `mcpbench` that read results: one module for each thing that a person does with them."""
