# SPDX-License-Identifier: Apache-2.0
# Cross build for 64-bit ARM Linux with Debian's g++-aarch64-linux-gnu; tests run in qemu (preset `aarch64`).
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(AQ_TRIPLE aarch64-linux-gnu)
set(AQ_SYSROOT_NAME sysroot-aarch64)
set(AQ_EMULATOR_PROGRAM qemu-aarch64)
# Every CPU the kernel and runtime tests run on, and the instruction sets it must be found to have.
set(AQ_EMULATED_CPUS
  max=scalar,neon,neondot,i8mm
  cortex-a76=scalar,neon,neondot
  cortex-a72=scalar,neon
  cortex-a53=scalar,neon)
include(${CMAKE_CURRENT_LIST_DIR}/debian_cross.cmake)
