# SPDX-License-Identifier: Apache-2.0
# Cross build for 64-bit ARM Linux with Debian's g++-aarch64-linux-gnu; tests run in qemu (preset `aarch64`).
#
# The compiler's own /usr/aarch64-linux-gnu holds only libc and libstdc++. Everything else (cpuinfo, pthreadpool,
# FlatBuffers, GoogleTest ...) comes from AQ_SYSROOT, a CMake or environment variable: a folder with unpacked arm64
# packages. scripts/make_sysroot.sh fills the default, build/sysroot-aarch64, without touching the system.
# Host packages are never searched: an x86 library or its headers would be picked up silently.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)

set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

if(DEFINED ENV{AQ_SYSROOT})
  set(sysroot "$ENV{AQ_SYSROOT}")
else()
  cmake_path(SET sysroot NORMALIZE "${CMAKE_CURRENT_LIST_DIR}/../build/sysroot-aarch64")
endif()
set(AQ_SYSROOT "${sysroot}" CACHE PATH "Folder with unpacked arm64 packages")
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES AQ_SYSROOT)  # this file is read again for every compiler check

# -cpu max: every instruction set qemu can do. -L: where the program's loader and libc are.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -cpu max -L /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu)

if(EXISTS "${AQ_SYSROOT}")
  list(PREPEND CMAKE_FIND_ROOT_PATH ${AQ_SYSROOT})
  set(libraries ${AQ_SYSROOT}/usr/lib/aarch64-linux-gnu)
  # Headers that differ by architecture (jconfig.h): Debian keeps them apart.
  set(CMAKE_C_FLAGS_INIT "-isystem ${AQ_SYSROOT}/usr/include/aarch64-linux-gnu")
  set(CMAKE_CXX_FLAGS_INIT "${CMAKE_C_FLAGS_INIT}")
  # Shared libraries that our libraries need, when linking and when running.
  set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,-rpath-link,${libraries}")
  list(APPEND CMAKE_CROSSCOMPILING_EMULATOR -E LD_LIBRARY_PATH=${libraries})
  # pkg-config knows nothing of CMake's root path.
  set(ENV{PKG_CONFIG_SYSROOT_DIR} ${AQ_SYSROOT})
  set(ENV{PKG_CONFIG_LIBDIR} ${libraries}/pkgconfig:${AQ_SYSROOT}/usr/share/pkgconfig)
endif()

set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)  # flatc and friends run on the host
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
