"""The checked configuration with its sheets: what is to be made, and what each stage is told.

The models of ``settings`` check one value, the modules here how values fit together; ``loading``
has the way in, ``stages`` the way out to the rules.
"""
