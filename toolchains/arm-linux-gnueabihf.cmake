# SPDX-License-Identifier: Apache-2.0
# Cross build for 32-bit ARM Linux (armv7, hard float; Raspberry Pi OS 32 bit) with Debian's g++-arm-linux-gnueabihf;
# tests run in qemu (preset `armv7`). NEON is optional there: only kernel files use it (isa_flags.cmake).
set(CMAKE_SYSTEM_PROCESSOR armv7)
set(AQ_TRIPLE arm-linux-gnueabihf)
set(AQ_SYSROOT_NAME sysroot-armv7)
set(AQ_EMULATOR_PROGRAM qemu-arm)
set(AQ_EMULATED_CPUS cortex-a15=scalar,neon)
# Files beyond 2 GiB; and no notes on how GCC 7 changed the passing of arguments.
set(AQ_FLAGS -D_FILE_OFFSET_BITS=64 -Wno-psabi)
include(${CMAKE_CURRENT_LIST_DIR}/debian_cross.cmake)
