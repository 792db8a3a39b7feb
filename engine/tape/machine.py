"""Modules of functions: what the emitter reads becomes machine code here, in memory, and nothing is left behind."""

from __future__ import annotations

import ast
import ctypes
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from engine.tape.emitter import ARRAYS, FLOAT, WORD, Emitter, vector
from engine.tape.functions import BY_LANE, FLOATS, LANES, libm


class Module:
    """An LLVM module in the making. width: how many lanes a vector has; 1 for a single float, in libm's functions."""

    def __init__(self, width: int, fields: dict[str, str], constants: dict[str, Any], rows: dict[str, Any]) -> None:
        self.ir, self.width, self.fields = ir.Module(), width, fields
        self.ir.triple = llvm.get_process_triple()
        self.constants = constants | {"pi": FLOAT(3.141592653589793)}
        self.texts = LANES if width > 1 else {}
        self.functions: dict[str, Any] = {}
        self.rows = rows

    def define(self, text: str) -> None:
        """The functions of a text: their arguments are typed, and what they return."""
        for tree in ast.parse(text).body:
            assert isinstance(tree, ast.FunctionDef)
            self._define(tree)

    def _define(self, tree: ast.FunctionDef) -> None:
        kinds = [ast.unparse(argument.annotation) for argument in tree.args.args if argument.annotation]
        returned = self._type(ast.unparse(tree.returns)) if tree.returns else ir.VoidType()
        name, of_lanes = tree.name, all(kind == "lanes" for kind in kinds)
        name = f"{name} of lanes" if of_lanes else name  # of floats there may be one of its name
        function = ir.Function(self.ir, ir.FunctionType(returned, [self._type(kind) for kind in kinds]), name)
        function.attributes.add("nounwind")
        if of_lanes:
            function.linkage = "internal"
            function.attributes.add("readnone")
            if tree.name in self.texts:
                function.attributes.add("alwaysinline")
        names = dict(zip((argument.arg for argument in tree.args.args), function.args, strict=True))
        emitter = Emitter(self, function, names)
        self.functions[name] = function
        for (name, given), kind in zip(list(names.items()), kinds, strict=True):
            if kind == "program":
                names |= {
                    f"{name}.{field}": self._field(emitter.builder, given, i) for i, field in enumerate(self.fields)
                }
        names |= self.constants
        emitter.run(tree.body)
        if not emitter.builder.block.is_terminated:
            emitter.builder.ret_void()

    def _type(self, kind: str) -> Any:
        if kind in ("program", "int"):
            return WORD.as_pointer() if kind == "program" else WORD
        return ARRAYS[kind].as_pointer() if kind in ARRAYS else {"float": FLOAT, "lanes": vector(self.width)}[kind]

    def _field(self, builder: Any, program: Any, place: int) -> Any:
        word = builder.load(builder.gep(program, [WORD(place)]))
        kind = list(self.fields.values())[place]
        return word if kind == "int" else builder.inttoptr(word, ARRAYS[kind].as_pointer())

    def function(self, name: str, kind: Any, count: int) -> Any:
        """The function of this name over floats or lanes, made if there is none yet."""
        if name in ("sqrt", "abs", "copysign", "floor"):
            lanes = f"v{kind.count}f64" if isinstance(kind, ir.VectorType) else "f64"
            called = {"abs": "fabs"}.get(name, name)
            return self.ir.declare_intrinsic(f"llvm.{called}.{lanes}", fnty=ir.FunctionType(kind, [kind] * count))
        if isinstance(kind, ir.VectorType) and f"{name} of lanes" not in self.functions:
            by_lane = name.removesuffix("_by_lane")
            arguments = ["x", "y", "c"][:count]
            text = self.texts.get(name) or BY_LANE.format(
                name=name, function=by_lane, width=self.width, arguments=", ".join(f"{x}: lanes" for x in arguments),
                lanes=", ".join(f"lane({x}, i)" for x in arguments),
            )  # fmt: skip
            self.define(text)
        if isinstance(kind, ir.VectorType):
            return self.functions[f"{name} of lanes"]
        if name in FLOATS and name not in self.functions:
            self.define(FLOATS[name])
        return self.functions.get(name) or self._libm(name, count)

    def _libm(self, name: str, count: int) -> Any:
        """Under a name of our own, as LLVM changes calls of functions that it knows: pow(2, x) becomes exp2(x)."""
        own = f"stepgrad_{name}"
        if own not in self.functions:
            llvm.add_symbol(own, libm(name))
            function = ir.Function(self.ir, ir.FunctionType(FLOAT, [FLOAT] * count), own)
            function.attributes.add("nounwind")
            function.attributes.add("readnone")
            self.functions[own] = function
        return self.functions[own]


class Code:
    """Machine code in memory, for as long as this object is there."""

    def __init__(self, module: Module, effort: int) -> None:
        machine = target(effort)  # which the engine will own
        code = llvm.parse_assembly(str(module.ir))
        code.verify()
        passes = llvm.create_new_module_pass_manager()
        for each in PASSES:
            getattr(passes, f"add_{each}_pass")()
        passes.run(code, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options()))
        self.engine = llvm.create_mcjit_compiler(code, machine)
        self.engine.finalize_object()

    def function(self, name: str, *kinds: Any, returns: Any = None) -> Any:
        """A function to call from Python, which holds the interpreter meanwhile."""
        return ctypes.PYFUNCTYPE(returns, *kinds)(self.engine.get_function_address(name))


# LLVM's own list keeps memory for ever with each use
PASSES = """always_inliner sroa instruction_combine simplify_cfg new_gvn loop_simplify lcssa loop_rotate loop_unroll
            instruction_combine new_gvn simplify_cfg dead_code_elimination global_dead_code_eliminate""".split()  # noqa: SIM905


def has_many_registers() -> bool:
    """Has this machine 32 registers for vectors, not 16?"""
    return llvm.get_host_cpu_features().get("avx512vl", False)  # type: ignore[no-any-return]


def target(effort: int) -> Any:
    """This machine, for one compilation, with an effort from 0 to 3. Raises ImportError where LLVM makes no code."""
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
