// SPDX-License-Identifier: Apache-2.0
#include "tests/end_to_end/process.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "tests/end_to_end/test_files.h"

namespace aq::test {

ProcessResult RunProcess(const std::vector<std::string>& arguments, const Environment& environment) {
  const TemporaryFolder folder;
  const std::string out = folder.Write("out", std::string()), err = folder.Write("err", std::string());
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);

  const auto begin = std::chrono::steady_clock::now();
  const pid_t child = fork();
  if (child == 0) {
    dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
    dup2(open(out.c_str(), O_WRONLY), STDOUT_FILENO);
    dup2(open(err.c_str(), O_WRONLY), STDERR_FILENO);
    // The tests' own AQ_DATA (a folder) must not become the value of --data.
    unsetenv("AQ_DATA");
    for (const std::string& entry : environment) putenv(const_cast<char*>(entry.c_str()));
    execv(argv[0], argv.data());
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ProcessResult result;
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  const Bytes out_bytes = ReadBytes(out), err_bytes = ReadBytes(err);
  result.out.assign(out_bytes.begin(), out_bytes.end());
  result.err.assign(err_bytes.begin(), err_bytes.end());
  return result;
}

}  // namespace aq::test
