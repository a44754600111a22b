// SPDX-License-Identifier: Apache-2.0
// Running allocates nothing: every malloc of the process is counted.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstddef>

#include "aq/aq.h"
#include "tests/runtime/gallery.h"

namespace {
std::atomic<size_t> allocations{0};
}

#if defined(__SANITIZE_ADDRESS__)
#define AQ_TEST_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define AQ_TEST_ASAN 1
#endif
#endif

#ifdef AQ_TEST_ASAN
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void*, size_t),
                                                         void (*)(const volatile void*));
namespace {
const int hooks = __sanitizer_install_malloc_and_free_hooks([](const volatile void*, size_t) { ++allocations; },
                                                            [](const volatile void*) {});
}
#else
// glibc's own entry points, under the names programs call.
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* memory, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

void* malloc(size_t size) {
  ++allocations;
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  ++allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* memory, size_t size) {
  ++allocations;
  return __libc_realloc(memory, size);
}
int posix_memalign(void** memory, size_t alignment, size_t size) {
  ++allocations;
  *memory = __libc_memalign(alignment, size);
  return *memory ? 0 : ENOMEM;
}
}
#endif

namespace aq::test {
namespace {

TEST(Run, AllocatesNothing) {
  const Bytes file = SmallNetwork().Build();
  for (const int threads : {1, 2}) {
    const size_t before_load = allocations;
    aq_model* model = nullptr;
    ASSERT_EQ(aq_model_load_buffer(file.data(), file.size(), nullptr, &model), AQ_OK);
    aq_session_options options = {};
    options.struct_size = sizeof options;
    options.num_threads = threads;
    aq_session* session = nullptr;
    ASSERT_EQ(aq_session_create(model, &options, &session), AQ_OK);
    ASSERT_GT(allocations, before_load) << "the counter does not count";
    ASSERT_EQ(aq_session_run(session), AQ_OK);
    const size_t before = allocations;
    for (int i = 0; i < 10; ++i) aq_session_run(session);
    EXPECT_EQ(allocations, before);
    aq_session_destroy(session);
    aq_model_destroy(model);
  }
}

}  // namespace
}  // namespace aq::test
