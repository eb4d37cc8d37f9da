# Installs the library, packs it, and builds and runs the example against both copies:
#   cmake -DBUILD=build -DSOURCE=. -DSCRATCH=build/install-test -P tests/install.cmake
cmake_minimum_required(VERSION 3.25)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "failed (${result}): ${command}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

# Everything that a user does with the library under `prefix`.
function(try_prefix prefix)
  set(work ${SCRATCH}/example-${ARGV1})
  run(${CMAKE_COMMAND} -S ${SOURCE}/examples -B ${work} -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_BUILD_TYPE=Release)
  run(${CMAKE_COMMAND} --build ${work})
  run(${work}/forward)
  message(STATUS "${ARGV1}: ${output}")
  run(${prefix}/bin/landmark --version)
  message(STATUS "${ARGV1}: landmark ${output}")
endfunction()

# What else the library exports would meet the LLVM of the process that loads it.
function(check_exports prefix)
  file(GLOB library ${prefix}/lib*/liblandmarkjit.so ${prefix}/lib/*/liblandmarkjit.so)
  run(nm -D --defined-only ${library})
  string(REGEX REPLACE "[^\n]* (_ZN8landmark|_ZNK8landmark|_ZTIN8landmark|_ZTSN8landmark|_ZTVN8landmark|landmark_)[^\n]*\n" "" foreign "${output}")
  if(foreign)
    message(FATAL_ERROR "liblandmarkjit.so exports symbols that are not its own: ${foreign}")
  endif()
endfunction()

file(REMOVE_RECURSE ${SCRATCH})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${SCRATCH}/installed)
check_exports(${SCRATCH}/installed)
try_prefix(${SCRATCH}/installed installed)

run(${CMAKE_COMMAND} -E chdir ${BUILD} cpack -G TGZ -B ${SCRATCH}/package)
file(GLOB tarball ${SCRATCH}/package/*.tar.gz)
file(ARCHIVE_EXTRACT INPUT ${tarball} DESTINATION ${SCRATCH}/unpacked)
file(GLOB unpacked ${SCRATCH}/unpacked/*)
try_prefix(${unpacked} unpacked)
