# Finds MLIR 22 and makes its archives linkable without the LLVM shared library.
#
# Debian builds MLIR against the LLVM shared library, so every exported MLIR target names "LLVM" in its link interface. With
# the archives beside it, command-line options would register twice. So the shared library is taken out of every interface,
# and the LLVM components are named by whoever links (landmark_llvm_libs).
set(MLIR_DIR "" CACHE PATH "Folder of MLIRConfig.cmake of an MLIR 22")
find_package(MLIR REQUIRED CONFIG HINTS ${MLIR_DIR} PATHS /usr/lib/llvm-22/lib/cmake/mlir)
if(NOT LLVM_VERSION_MAJOR EQUAL 22)
  message(FATAL_ERROR "MLIR 22 is needed, found ${LLVM_PACKAGE_VERSION} in ${MLIR_DIR}: name one by -DMLIR_DIR=")
endif()
message(STATUS "MLIR ${LLVM_PACKAGE_VERSION} in ${MLIR_DIR}")

list(APPEND CMAKE_MODULE_PATH "${MLIR_CMAKE_DIR}" "${LLVM_CMAKE_DIR}")
include(TableGen)
include(AddLLVM)
include(AddMLIR)

foreach(target ${MLIR_EXPORTED_TARGETS})
  if(TARGET ${target})
    get_target_property(libs ${target} INTERFACE_LINK_LIBRARIES)
    if(libs)
      list(FILTER libs EXCLUDE REGEX "(^|:|<)LLVM(>|$)")
      set_target_properties(${target} PROPERTIES INTERFACE_LINK_LIBRARIES "${libs}")
    endif()
  endif()
endforeach()

llvm_map_components_to_libnames(landmark_llvm_libs
  NVPTXCodeGen NVPTXDesc NVPTXInfo X86CodeGen X86AsmParser X86Desc X86Info OrcJIT JITLink Passes Target Core)
