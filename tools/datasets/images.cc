// SPDX-License-Identifier: Apache-2.0
// JPEG and PNG files in a folder or a plain tar, with a CSV that has the columns `file` and `label`. Files are found by
// their path below the folder or in the archive, or by their bare name if that is unique there. Without a CSV: all
// images, sorted by name, unlabelled. The archive is read in place; nothing is written to disk.
#include <algorithm>
#include <filesystem>
#include <map>

#include "tools/datasets/readers.h"
#include "tools/file.h"
#include "tools/image_decoder.h"
#include "tools/tar.h"

namespace aq::tools {
namespace {

constexpr uint64_t kMaxCsvBytes = uint64_t{64} << 20;

struct Source {
  std::string name;               // of the file or member, for messages
  uint64_t offset = 0, size = 0;  // in the tar
  int label = -1;
};

class ImageDataset : public Dataset {
 public:
  ImageDataset(std::string folder, std::optional<File> tar, std::vector<Source> sources)
      : folder_(std::move(folder)), tar_(std::move(tar)), sources_(std::move(sources)) {}
  size_t size() const override { return sources_.size(); }
  int label(size_t i) const override { return sources_[i].label; }

  Status Load(size_t i, Image* image) const override {
    const Source& source = sources_[i];
    std::vector<uint8_t> bytes;
    if (tar_) {
      if (source.size > kMaxEncodedBytes) {
        return Error(Code::kLimit, "%s: %llu bytes, at most %llu", source.name.c_str(),
                     static_cast<unsigned long long>(source.size), static_cast<unsigned long long>(kMaxEncodedBytes));
      }
      bytes.resize(static_cast<size_t>(source.size));
      AQ_RETURN_IF_ERROR(tar_->ReadAt(source.offset, source.size, bytes.data()));
      return DecodeImage(bytes, tar_->path() + ":" + source.name, image);
    }
    const std::string path = folder_ + "/" + source.name;
    AQ_ASSIGN_OR_RETURN(bytes, ReadWholeFile(path, kMaxEncodedBytes));
    return DecodeImage(bytes, path, image);
  }

 private:
  std::string folder_;
  std::optional<File> tar_;
  std::vector<Source> sources_;
};

// A CSV must not lead the reader out of the folder.
bool IsInside(const std::string& name) {
  const std::filesystem::path path(name);
  return path.is_relative() && std::find(path.begin(), path.end(), "..") == path.end();
}

bool LooksLikeImage(const std::string& name) {
  std::string extension = std::filesystem::path(name).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

Result<std::vector<Source>> ReadCsv(const std::string& path) {
  AQ_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadWholeFile(path, kMaxCsvBytes));
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::vector<Source> sources;
  size_t file_column = 0, label_column = 0, columns = 0;
  int line_number = 0;
  for (std::string& line : Split(text, '\n')) {
    ++line_number;
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) continue;
    const std::vector<std::string> cells = Split(line, ',');
    if (columns == 0) {
      columns = cells.size();
      file_column = static_cast<size_t>(std::find(cells.begin(), cells.end(), "file") - cells.begin());
      label_column = static_cast<size_t>(std::find(cells.begin(), cells.end(), "label") - cells.begin());
      if (file_column == columns || label_column == columns) {
        return Error(Code::kCorrupt, "%s: the first line must name the columns file and label", path.c_str());
      }
      continue;
    }
    if (cells.size() != columns) {
      return Error(Code::kCorrupt, "%s:%d: %zu columns, %zu expected", path.c_str(), line_number, cells.size(),
                   columns);
    }
    const Result<int64_t> label = ParseInt(cells[label_column], "label");
    if (!label.ok() || label.value() < 0 || label.value() > 1 << 30) {
      return Error(Code::kCorrupt, "%s:%d: label '%s' is not a class number", path.c_str(), line_number,
                   cells[label_column].substr(0, 32).c_str());
    }
    if (!IsInside(cells[file_column])) {
      return Error(Code::kCorrupt, "%s:%d: '%s' is outside the image folder", path.c_str(), line_number,
                   cells[file_column].substr(0, 256).c_str());
    }
    sources.push_back({.name = cells[file_column], .label = static_cast<int>(label.value())});
  }
  return sources;
}

Status ListFolder(const std::string& folder, std::vector<Source>* sources) {
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error), end;
  for (; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (LooksLikeImage(name)) sources->push_back({.name = name});
  }
  if (error) return Error(Code::kIo, "%s: %s", folder.c_str(), error.message().c_str());
  return {};
}

// Turns CSV names into tar positions; with no names, takes every image of the archive.
Status LocateInTar(const File& tar, bool has_csv, std::vector<Source>* sources) {
  AQ_ASSIGN_OR_RETURN(const std::vector<TarMember> members, ReadTarIndex(tar));
  if (!has_csv) {
    for (const TarMember& member : members) {
      if (LooksLikeImage(member.name)) sources->push_back({member.name, member.offset, member.size, -1});
    }
    return {};
  }
  std::map<std::string, const TarMember*, std::less<>> by_path, by_name;  // by_name: nullptr if ambiguous
  for (const TarMember& member : members) {
    by_path[member.name.starts_with("./") ? member.name.substr(2) : member.name] = &member;
    const std::string name = std::filesystem::path(member.name).filename().string();
    if (const auto [at, is_new] = by_name.emplace(name, &member); !is_new) at->second = nullptr;
  }
  for (Source& source : *sources) {
    auto found = by_path.find(source.name);
    if (found == by_path.end()) {
      found = by_name.find(source.name);
      if (found == by_name.end() || found->second == nullptr) {
        return Error(Code::kCorrupt, "%s: '%s' of the CSV is %s the archive's %zu files", tar.path().c_str(),
                     source.name.substr(0, 256).c_str(), found == by_name.end() ? "not among" : "ambiguous among",
                     members.size());
      }
    }
    source.offset = found->second->offset;
    source.size = found->second->size;
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Dataset>> OpenImages(const Arguments& arguments) {
  if (arguments.size() > 2) return Error(Code::kInvalidArgument, "images: takes DIR_OR_TAR[,LABELS.csv]");
  const bool has_csv = arguments.size() == 2;
  std::vector<Source> sources;
  if (has_csv) {
    AQ_ASSIGN_OR_RETURN(sources, ReadCsv(arguments[1]));
  }
  std::error_code error;
  std::optional<File> tar;
  if (!std::filesystem::is_directory(arguments[0], error)) {
    AQ_ASSIGN_OR_RETURN(tar, File::Open(arguments[0]));
    AQ_RETURN_IF_ERROR(LocateInTar(*tar, has_csv, &sources));
  } else if (!has_csv) {
    AQ_RETURN_IF_ERROR(ListFolder(arguments[0], &sources));
  }
  if (!has_csv) {
    std::sort(sources.begin(), sources.end(), [](const Source& a, const Source& b) { return a.name < b.name; });
  }
  return std::unique_ptr<Dataset>(std::make_unique<ImageDataset>(arguments[0], std::move(tar), std::move(sources)));
}

}  // namespace aq::tools
