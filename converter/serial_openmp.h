// SPDX-License-Identifier: Apache-2.0
// Keeps oneDNN on the calling thread for a scope: where it splits a sum among threads, the team's size changes the
// bits. A primitive remembers the team it was made for, so this must span both its making and its running.
#pragma once

#include <omp.h>

namespace aq::converter {

class SerialOpenMp {
 public:
  SerialOpenMp() : threads_(omp_get_max_threads()) { omp_set_num_threads(1); }
  SerialOpenMp(const SerialOpenMp&) = delete;
  SerialOpenMp& operator=(const SerialOpenMp&) = delete;
  ~SerialOpenMp() { omp_set_num_threads(threads_); }

 private:
  int threads_;
};

}  // namespace aq::converter
