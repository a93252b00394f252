"""The module: what the WIT's world exports, as one class an interface."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import types

import greeting


class {{class}}(exports.{{class}}):
    def greet(self, name: str) -> str:
        try:
            return greeting.greeting_for(name)
        except ValueError as error:
            raise Err(types.Error(types.ErrorKind.INVALID, str(error), "give a name")) from error
