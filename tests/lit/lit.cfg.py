# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# How the text tests run. What depends on the build stands in lit.site.cfg.py.in.
import os
import shutil
import sys

import lit.formats

config.name = "Landmark JIT"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = config.landmark_test_dir

tools = [config.landmark_tool_dir, config.landmark_opt_dir, config.llvm_tools_dir]
config.environment["PATH"] = os.pathsep.join(tools + [config.environment.get("PATH", "")])
config.substitutions.append(("%{inputs}", os.path.join(config.test_source_root, "Inputs")))
config.substitutions.append(("%{bench}", os.path.join(config.test_source_root, "../../bench")))
config.substitutions.append(("%{templates}", config.landmark_templates_dir))
config.substitutions.append(("%{nvtx}", config.landmark_nvtx_printer))
config.substitutions.append(("%{python}", sys.executable))

# The tests say themselves what the tool shall take from its environment.
for variable in [name for name in config.environment if name.startswith("LANDMARK_")]:
    del config.environment[variable]

# Nor what lies in the user's cache; tests of the cache name folders of their own.
config.environment["LANDMARK_CACHE"] = "off"

# The assembler is where the library looks for it: in PATH or in the usual place.
if shutil.which("ptxas") or shutil.which("ptxas", path="/usr/local/cuda/bin"):
    config.available_features.add("ptxas")
