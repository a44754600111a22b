// SPDX-License-Identifier: Apache-2.0
// The table of dataset readers.
#include "tools/dataset.h"

#include "tools/datasets/readers.h"
#include "tools/file.h"

namespace aq::tools {
namespace {

struct Reader {
  const char* prefix;
  Result<std::unique_ptr<Dataset>> (*open)(const Arguments&);
  const char* help;
};

constexpr Reader kReaders[] = {
    {"cifar10", OpenCifar10,
     "cifar10:FILE[,FILE]...            official binary: label byte, then R, G, B planes 32x32"},
    {"idx", OpenIdx, "idx:IMAGES[,LABELS]               MNIST's idx, .gz too"},
    {"images", OpenImages, "images:DIR_OR_TAR[,LABELS.csv]    JPEG and PNG; CSV columns file,label"},
    {"npy", OpenNpy, "npy:X.npy[,Y.npy]                 uint8 (or int8, stored + 128) [n,h,w,c], [n,h,w] or [n,k]"},
    {"raw", OpenRaw, "raw:FILE[,LABELS],type=i8|u8,shape=HxWxC[,scale=S,zero=Z]   real = (q - Z) * S"},
};

}  // namespace

Result<std::unique_ptr<Dataset>> OpenDataset(const std::string& spec) {
  const size_t colon = spec.find(':');
  const std::string prefix = spec.substr(0, colon);
  for (const Reader& reader : kReaders) {
    if (colon == std::string::npos || prefix != reader.prefix) continue;
    const Arguments arguments = Split(std::string_view(spec).substr(colon + 1), ',');
    for (const std::string& argument : arguments) {
      if (argument.empty()) return Error(Code::kInvalidArgument, "data '%s': empty argument", spec.c_str());
    }
    AQ_ASSIGN_OR_RETURN(std::unique_ptr<Dataset> dataset, reader.open(arguments));
    if (dataset->size() == 0) return Error(Code::kCorrupt, "data '%s': holds no images", spec.c_str());
    return dataset;
  }
  return Error(Code::kInvalidArgument, "data '%s': unknown kind; one of\n%s", spec.c_str(), DatasetHelp().c_str());
}

std::string DatasetHelp() {
  std::string text;
  for (const Reader& reader : kReaders) text += std::string("  ") + reader.help + "\n";
  return text;
}

}  // namespace aq::tools
