// SPDX-License-Identifier: Apache-2.0
// The C API: arguments, errors, files, metadata, description; and its C++ wrapper.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "aq/aq.h"
#include "aq/model.hpp"
#include "tests/runtime/gallery.h"

extern "C" int aq_test_is_usable_from_c(void);

namespace aq::test {
namespace {

struct TemporaryFile {
  explicit TemporaryFile(const Bytes& bytes) : path(testing::TempDir() + "aq_c_api_test.aqm") {
    std::FILE* file = std::fopen(path.c_str(), "wb");
    std::fwrite(bytes.data(), 1, bytes.size(), file);
    std::fclose(file);
  }
  ~TemporaryFile() { std::remove(path.c_str()); }
  std::string path;
};

aq_model* LoadNetwork() {
  const Bytes file = SmallNetwork().Build();
  aq_model* model = nullptr;
  EXPECT_EQ(aq_model_load_buffer(file.data(), file.size(), nullptr, &model), AQ_OK);
  return model;
}

TEST(CApi, CompilesAsC99) { EXPECT_TRUE(aq_test_is_usable_from_c()); }

TEST(CApi, LoadsFilesMapsAndDescriptors) {
  const Bytes file = SmallNetwork().Build();
  const TemporaryFile temporary(file);
  aq_model* model = nullptr;
  ASSERT_EQ(aq_model_load_file(temporary.path.c_str(), nullptr, &model), AQ_OK);
  aq_model_destroy(model);
  aq_load_options options = {};
  options.struct_size = sizeof options;
  options.flags = AQ_LOAD_MMAP;
  ASSERT_EQ(aq_model_load_file(temporary.path.c_str(), &options, &model), AQ_OK);
  aq_session* session = nullptr;
  ASSERT_EQ(aq_session_create(model, nullptr, &session), AQ_OK);
  EXPECT_EQ(aq_session_run(session), AQ_OK);
  aq_session_destroy(session);
  aq_model_destroy(model);
  const int fd = open(temporary.path.c_str(), O_RDONLY);
  ASSERT_EQ(aq_model_load_fd(fd, 0, file.size(), nullptr, &model), AQ_OK);
  aq_model_destroy(model);
  EXPECT_NE(aq_model_load_fd(fd, 1, file.size(), nullptr, &model), AQ_OK);
  EXPECT_EQ(aq_model_load_fd(fd, 0, file.size() - 64, nullptr, &model), AQ_ERR_CORRUPT);
  EXPECT_EQ(model, nullptr);
  close(fd);
}

TEST(CApi, ReportsMissingFilesAndDirectories) {
  char error[256] = "";
  aq_load_options options = {};
  options.struct_size = sizeof options;
  options.error = error;
  options.error_size = sizeof error;
  aq_model* model = nullptr;
  EXPECT_EQ(aq_model_load_file("/nonexistent/x.aqm", &options, &model), AQ_ERR_NOT_FOUND);
  EXPECT_NE(std::strstr(error, "/nonexistent/x.aqm"), nullptr) << error;
  EXPECT_EQ(aq_model_load_file("/", &options, &model), AQ_ERR_IO) << error;
  options.error_size = 5;
  EXPECT_EQ(aq_model_load_file("/nonexistent/x.aqm", &options, &model), AQ_ERR_NOT_FOUND);
  EXPECT_EQ(std::strlen(error), 4u);
}

TEST(CApi, RejectsBadArguments) {
  aq_model* model = nullptr;
  EXPECT_EQ(aq_model_load_buffer(nullptr, 10, nullptr, &model), AQ_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(aq_model_load_buffer(nullptr, 0, nullptr, &model), AQ_ERR_CORRUPT);
  EXPECT_EQ(aq_model_load_file(nullptr, nullptr, &model), AQ_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(aq_model_load_buffer("x", 1, nullptr, nullptr), AQ_ERR_INVALID_ARGUMENT);
  aq_load_options options = {};
  EXPECT_EQ(aq_model_load_buffer("x", 1, &options, &model), AQ_ERR_INVALID_ARGUMENT);
  options.struct_size = sizeof options;
  options.flags = 2;
  EXPECT_EQ(aq_model_load_buffer("x", 1, &options, &model), AQ_ERR_INVALID_ARGUMENT);

  model = LoadNetwork();
  aq_session* session = nullptr;
  EXPECT_EQ(aq_session_create(nullptr, nullptr, &session), AQ_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(aq_session_create(model, nullptr, nullptr), AQ_ERR_INVALID_ARGUMENT);
  char error[256] = "";
  aq_session_options session_options = {};
  session_options.struct_size = sizeof session_options;
  session_options.error = error;
  session_options.error_size = sizeof error;
  session_options.isa = "sse9";
  EXPECT_EQ(aq_session_create(model, &session_options, &session), AQ_ERR_INVALID_ARGUMENT);
  EXPECT_NE(std::strstr(error, "sse9"), nullptr) << error;
  session_options.isa = nullptr;
  session_options.num_threads = -2;
  EXPECT_EQ(aq_session_create(model, &session_options, &session), AQ_ERR_INVALID_ARGUMENT);
  session_options.num_threads = 65;
  EXPECT_EQ(aq_session_create(model, &session_options, &session), AQ_ERR_LIMIT) << error;
  EXPECT_EQ(aq_session_run(nullptr), AQ_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(aq_session_input(nullptr, 0), nullptr);
  aq_tensor_info info = {};
  EXPECT_EQ(aq_model_input_info(model, 0, &info), AQ_ERR_INVALID_ARGUMENT);
  info.struct_size = sizeof info;
  EXPECT_EQ(aq_model_input_info(model, 1, &info), AQ_ERR_INVALID_ARGUMENT);
  aq_model_destroy(model);
  aq_model_destroy(nullptr);
  aq_session_destroy(nullptr);
}

TEST(CApi, DescribesInputsOutputsAndMetadata) {
  aq_model* model = LoadNetwork();
  aq_tensor_info info = {};
  info.struct_size = sizeof info;
  ASSERT_EQ(aq_model_num_inputs(model), 1u);
  ASSERT_EQ(aq_model_input_info(model, 0, &info), AQ_OK);
  EXPECT_EQ(info.type, AQ_TYPE_U8);
  EXPECT_EQ(info.bits, 8);
  EXPECT_EQ(info.rank, 4);
  EXPECT_EQ(info.dims[3], 3);
  EXPECT_EQ(info.bytes, 6u * 6 * 3);
  ASSERT_EQ(aq_model_output_info(model, 0, &info), AQ_OK);
  EXPECT_EQ(info.type, AQ_TYPE_I32);
  EXPECT_EQ(info.bytes, 16u);

  const char *key = nullptr, *value = nullptr;
  EXPECT_EQ(aq_model_metadata(model, "aq.recipe", &value), AQ_OK);
  EXPECT_STREQ(value, "w4a4");
  EXPECT_EQ(aq_model_metadata(model, "absent", &value), AQ_ERR_NOT_FOUND);
  ASSERT_EQ(aq_model_num_metadata(model), 2u);
  EXPECT_EQ(aq_model_metadata_at(model, 1, &key, &value), AQ_OK);
  EXPECT_STREQ(key, "aq.labels");
  EXPECT_EQ(aq_model_metadata_at(model, 2, &key, &value), AQ_ERR_INVALID_ARGUMENT);

  char* text = nullptr;
  ASSERT_EQ(aq_model_describe(model, "json", &text), AQ_OK);
  EXPECT_NE(std::strstr(text, "\"aq.labels\": \"cat\\u000adog\""), nullptr) << text;
  EXPECT_NE(std::strstr(text, "\"weight_bits\": 2"), nullptr);
  EXPECT_NE(std::strstr(text, "\"border\": ["), nullptr);
  aq_free(text);
  ASSERT_EQ(aq_model_describe(model, "text", &text), AQ_OK);
  EXPECT_NE(std::strstr(text, "Conv2D op0"), nullptr) << text;
  aq_free(text);
  EXPECT_EQ(aq_model_describe(model, "xml", &text), AQ_ERR_INVALID_ARGUMENT);
  aq_model_destroy(model);
}

TEST(CApi, NamesStatusesAndTheMachine) {
  EXPECT_STREQ(aq_status_string(AQ_ERR_LIMIT), "limit exceeded");
  EXPECT_STREQ(aq_status_string(static_cast<aq_status>(12345)), "unknown status");
  EXPECT_NE(std::strstr(aq_isa_detected(), "scalar"), nullptr);
  EXPECT_NE(std::strstr(aq_build_info(), "scalar"), nullptr);
  EXPECT_STRNE(aq_version(), "");
  EXPECT_STRNE(aq_cpu_name(), "");
}

TEST(CppWrapper, LoadsRunsAndReportsErrors) {
  const Bytes file = SmallNetwork().Build();
  LoadedModel model;
  std::string error;
  EXPECT_EQ(model.LoadBuffer(file.data(), file.size() - 1, &error), AQ_ERR_CORRUPT);
  EXPECT_FALSE(error.empty());
  EXPECT_FALSE(model);
  ASSERT_EQ(model.LoadBuffer(file.data(), file.size(), &error), AQ_OK) << error;
  EXPECT_EQ(model.metadata("aq.recipe"), "w4a4");
  Session session;
  ASSERT_EQ(session.Create(model, 1, "scalar", &error), AQ_OK) << error;
  std::memset(session.input(0), 100, model.input_info(0).bytes);
  EXPECT_EQ(session.Run(), AQ_OK);
  EXPECT_NE(session.output(0), nullptr);
}

}  // namespace
}  // namespace aq::test
