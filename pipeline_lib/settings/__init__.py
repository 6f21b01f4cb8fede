"""Typed settings of every stage, and of the configuration and its sheets, a module per concern.

The models are the one source: the JSON schemas in ``config/schemas`` and the tables of
``docs/configuration.md`` are generated from them. A model whose name ends in ``Stage`` is what one
script accepts in ``--settings``; the others are sections of ``config.yaml`` or rows of a sheet.
Names are imported from their modules, never from here: a stage then depends on the settings that it
reads, and a change of the others asks nothing of it (``tests/workflow/test_result_versions.py``).
"""
