# SPDX-License-Identifier: Apache-2.0
# Who may include whom (ARCHITECTURE.md). CMake links say the same; this catches header-only leaks.
#   cmake -DROOT=<source tree> -P layering_test.cmake
set(violations "")

# Includes in `folder` that match `pattern`, files matching `except` left out, are violations of `rule`.
function(forbid folder pattern except rule)
  file(GLOB_RECURSE files ${ROOT}/${folder}/*.h ${ROOT}/${folder}/*.hpp ${ROOT}/${folder}/*.cc ${ROOT}/${folder}/*.inc)
  foreach(file IN LISTS files)
    if(NOT except STREQUAL "" AND file MATCHES "${except}")
      continue()
    endif()
    file(STRINGS ${file} lines REGEX "^[ \t]*#[ \t]*include[ \t]*[\"<](${pattern})")
    foreach(line IN LISTS lines)
      string(APPEND violations "${file}: ${line}   (${rule})\n")
    endforeach()
  endforeach()
  set(violations "${violations}" PARENT_SCOPE)
endfunction()

foreach(folder platforms kernels runtime)
  file(GLOB_RECURSE sources ${ROOT}/${folder}/*.cc)
  if(sources STREQUAL "")
    message(FATAL_ERROR "no sources in ${ROOT}/${folder}: wrong ROOT?")
  endif()
endforeach()

forbid(platforms "(kernels|runtime|schema|converter|tools|bench|tests|aq)/" "" "platforms include nothing above them")
forbid(kernels "(runtime|schema|converter|tools|bench|tests|aq)/" "" "kernels see pointers and numbers only")
forbid(runtime "(converter|tools|bench|tests)/" "" "the runtime does not know the converter")
forbid(converter "(tools|bench|tests)/" "" "tools use the converter, not the reverse")
foreach(folder platforms kernels runtime converter tools bench)
  forbid(${folder} "cpuinfo" "/platforms/cpu_[a-z0-9]+\\.cc$|/bench/peer_xnnpack\\.cc$" "only platforms/cpu_*.cc asks the CPU")
  forbid(${folder} "pthreadpool" "/platforms/parallel\\.cc$|/bench/" "only platforms/parallel.cc makes threads")
endforeach()
forbid(kernels "(iostream|fstream|sstream|vector|string|memory|thread|mutex)>" "/reference\\.h$" "kernels do not allocate")

if(NOT violations STREQUAL "")
  message(FATAL_ERROR "layering violated:\n${violations}")
endif()
message(STATUS "layers are respected")
