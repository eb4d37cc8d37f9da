# find_package(LandmarkJit) defines the target LandmarkJit::landmarkjit.
include(${CMAKE_CURRENT_LIST_DIR}/LandmarkJitTargets.cmake)
