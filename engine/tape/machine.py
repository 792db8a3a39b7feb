"""Functions of Python as machine code: what they write becomes code here, in memory, and nothing is left behind."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from llvmlite import binding as llvm

from engine.tape.emitter import Body, Number
from engine.tape.functions import libm

# LLVM's own list keeps memory for ever with each use
PASSES = """sroa instruction_combine simplify_cfg new_gvn loop_simplify lcssa loop_rotate loop_unroll
            instruction_combine new_gvn simplify_cfg dead_code_elimination""".split()  # noqa: SIM905
KINDS = {"Int": "i64", "Float": "double"}  # of arguments, by their annotations; others are addresses


class Loops:
    """Compiled functions, to be called by name; in Python each takes its body first. They return a float.

    A vector has width lanes; 1 is a single float, in libm's functions. fields are those of a record, with their kinds;
    effort is the compiler's, from 0 to 3. Raises ImportError where LLVM makes no code.
    """

    def __init__(self, width: int, fields: dict[str, str], *functions: Callable[..., Any], effort: int = 2) -> None:
        taken: dict[str, list[str]] = {}
        texts: dict[str, str] = {}
        for function in functions:
            annotations = [function.__annotations__[name] for name in list(function.__annotations__)[1:-1]]
            taken[function.__name__] = kinds = [KINDS.get(each, "ptr") for each in annotations]
            body = Body(width, texts)
            given = [Number(body, kind, f"%a{i}") for i, kind in enumerate(kinds)]
            arguments = [body.argument(each, x, fields) for each, x in zip(annotations, given, strict=True)]
            body.define(function.__name__, kinds, function(body, *arguments), linkage="external")
        for name in texts:
            if name.startswith("stepgrad_"):
                llvm.add_symbol(name, libm(name.removeprefix("stepgrad_")))
        machine = target(effort)  # which the engine will own
        code = llvm.parse_assembly("\n".join(texts.values()))
        passes = llvm.create_new_module_pass_manager()
        for each in PASSES:
            getattr(passes, f"add_{each}_pass")()
        passes.run(code, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options()))
        self.engine = llvm.create_mcjit_compiler(code, machine)
        self.engine.finalize_object()
        self.functions = {name: self._function(name, kinds) for name, kinds in taken.items()}

    def _function(self, name: str, kinds: list[str]) -> Callable[..., float]:
        """It holds the interpreter meanwhile."""
        types = [ctypes.c_double if kind == "double" else ctypes.c_int64 for kind in kinds]
        return ctypes.PYFUNCTYPE(ctypes.c_double, *types)(self.address(name))

    def address(self, name: str) -> int:
        """Where a function is, which is there as long as this object."""
        return self.engine.get_function_address(name)  # type: ignore[no-any-return]

    def __call__(self, name: str, *arguments: Any) -> float:
        return self.functions[name](*arguments)


def has_many_registers() -> bool:
    """Has this machine 32 registers for vectors, not 16?"""
    return llvm.get_host_cpu_features().get("avx512vl", False)  # type: ignore[no-any-return]


def target(effort: int) -> Any:
    """This machine, for one compilation."""
    try:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        host = llvm.Target.from_triple(llvm.get_process_triple())
        features = llvm.get_host_cpu_features().flatten()
        return host.create_target_machine(llvm.get_host_cpu_name(), features, opt=effort, codemodel="jitdefault")
    except RuntimeError as error:
        raise ImportError(f"llvmlite makes no code for this machine: {error}") from None


target(effort=1)
libm("exp")
