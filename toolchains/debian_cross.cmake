# SPDX-License-Identifier: Apache-2.0
# What cross builds with Debian's compilers share; included by <triple>.cmake, which sets
#   CMAKE_SYSTEM_PROCESSOR, AQ_TRIPLE, AQ_SYSROOT_NAME, AQ_EMULATOR_PROGRAM, AQ_EMULATED_CPUS, AQ_FLAGS (if any)
#
# The compiler's own /usr/<triple> holds only libc and libstdc++. Everything else (pthreadpool, FlatBuffers,
# GoogleTest ...) comes from AQ_SYSROOT, a CMake or environment variable: a folder with unpacked packages.
# scripts/make_sysroot.sh fills the default, build/<AQ_SYSROOT_NAME>, without touching the system.
# Host packages are never searched: an x86 library or its headers would be picked up silently.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_C_COMPILER ${AQ_TRIPLE}-gcc)
set(CMAKE_CXX_COMPILER ${AQ_TRIPLE}-g++)
set(CMAKE_LIBRARY_ARCHITECTURE ${AQ_TRIPLE})
add_compile_options(${AQ_FLAGS})

if(DEFINED ENV{AQ_SYSROOT})
  set(sysroot "$ENV{AQ_SYSROOT}")
else()
  cmake_path(SET sysroot NORMALIZE "${CMAKE_CURRENT_LIST_DIR}/../build/${AQ_SYSROOT_NAME}")
endif()
set(AQ_SYSROOT "${sysroot}" CACHE PATH "Folder with unpacked packages of the target")
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES AQ_SYSROOT)  # this file is read again for every compiler check

# -L: where the program's loader and libc are. Tests put "-cpu NAME" behind it, once per emulated CPU.
set(AQ_EMULATOR ${AQ_EMULATOR_PROGRAM} -L /usr/${AQ_TRIPLE})
set(CMAKE_FIND_ROOT_PATH /usr/${AQ_TRIPLE})

if(EXISTS "${AQ_SYSROOT}")
  list(PREPEND CMAKE_FIND_ROOT_PATH ${AQ_SYSROOT})
  set(libraries ${AQ_SYSROOT}/usr/lib/${AQ_TRIPLE})
  # Headers that differ by architecture (jconfig.h): Debian keeps them apart.
  set(CMAKE_C_FLAGS_INIT "-isystem ${AQ_SYSROOT}/usr/include/${AQ_TRIPLE}")
  set(CMAKE_CXX_FLAGS_INIT "${CMAKE_C_FLAGS_INIT}")
  # Shared libraries that our libraries need, when linking and when running.
  set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,-rpath-link,${libraries}")
  list(APPEND AQ_EMULATOR -E LD_LIBRARY_PATH=${libraries})
  # pkg-config knows nothing of CMake's root path.
  set(ENV{PKG_CONFIG_SYSROOT_DIR} ${AQ_SYSROOT})
  set(ENV{PKG_CONFIG_LIBDIR} ${libraries}/pkgconfig:${AQ_SYSROOT}/usr/share/pkgconfig)
endif()
set(CMAKE_CROSSCOMPILING_EMULATOR ${AQ_EMULATOR} -cpu max)  # every instruction set qemu can do

set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)  # flatc and friends run on the host
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
