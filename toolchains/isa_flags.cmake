# SPDX-License-Identifier: Apache-2.0
# The one table from ISA to compiler flags. A source named <anything>_<isa>.cc is compiled with AQ_ISA_FLAGS_<isa>;
# AQ_KERNEL_ISAS lists the ISAs that have kernels on this target, oldest first.
set(AQ_ISA_FLAGS_scalar "")
set(AQ_ISA_FLAGS_avx2 -mavx2)
set(AQ_ISA_FLAGS_avxvnni -mavx2 -mavxvnni)
set(AQ_ISA_FLAGS_avx512vnni -mavx2 -mavx512f -mavx512bw -mavx512vl -mavx512vnni)

set(AQ_KERNEL_ISAS scalar)
if(NOT AQ_SCALAR_ONLY AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  list(APPEND AQ_KERNEL_ISAS avx2 avxvnni avx512vnni)
endif()

# Gives every <folder>/<prefix>_<isa>.cc its flags and appends it to `out`; ISAs without such a file are left out.
function(aq_isa_sources out prefix)
  set(sources ${${out}})
  foreach(isa IN LISTS AQ_KERNEL_ISAS)
    set(source ${CMAKE_CURRENT_SOURCE_DIR}/${prefix}_${isa}.cc)
    if(EXISTS ${source})
      set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${AQ_ISA_FLAGS_${isa}}")
      list(APPEND sources ${source})
    endif()
  endforeach()
  set(${out} ${sources} PARENT_SCOPE)
endfunction()
