# SPDX-License-Identifier: Apache-2.0
# The one table from ISA to compiler flags. A source named <anything>_<isa>.cc is compiled with AQ_ISA_FLAGS_<isa>;
# AQ_KERNEL_ISAS lists the ISAs that have kernels on this target, oldest first.
set(AQ_ISA_FLAGS_scalar "")
set(AQ_ISA_FLAGS_avx2 -mavx2)
set(AQ_ISA_FLAGS_avxvnni -mavx2 -mavxvnni)
set(AQ_ISA_FLAGS_avx512vnni -mavx2 -mavx512f -mavx512bw -mavx512vl -mavx512vnni)

# ARM tiles fill all registers: gcc's scheduling before their allocation makes it spill (w4a4 6x4: 68 instructions a
# step instead of 60); scheduling afterwards stays.
set(aq_no_early_schedule $<$<CXX_COMPILER_ID:GNU>:-fno-schedule-insns>)
set(AQ_ISA_FLAGS_neon ${aq_no_early_schedule})  # NEON itself is part of 64-bit ARM
set(AQ_ISA_FLAGS_neondot -march=armv8.2-a+dotprod ${aq_no_early_schedule})
set(AQ_ISA_FLAGS_i8mm -march=armv8.2-a+i8mm ${aq_no_early_schedule})

set(AQ_KERNEL_ISAS scalar)
if(NOT AQ_SCALAR_ONLY AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  list(APPEND AQ_KERNEL_ISAS avx2 avxvnni avx512vnni)
elseif(NOT AQ_SCALAR_ONLY AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
  list(APPEND AQ_KERNEL_ISAS neon neondot i8mm)
elseif(NOT AQ_SCALAR_ONLY AND CMAKE_SYSTEM_PROCESSOR MATCHES "^arm")
  list(APPEND AQ_KERNEL_ISAS neon)
  list(APPEND AQ_ISA_FLAGS_neon -mfpu=neon)  # optional in armv7, so kernels alone use it
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
