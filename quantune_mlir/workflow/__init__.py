"""The workflow as nouns: model, profile, sensitivity list, plan, program."""
