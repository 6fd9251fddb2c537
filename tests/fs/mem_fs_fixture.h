// MemFsTest: one MemFs, a caller whose clock moves by 1 us a call, and what the probe heard.
//
// Threads: one.
#ifndef LAMINA_TESTS_FS_MEM_FS_FIXTURE_H_
#define LAMINA_TESTS_FS_MEM_FS_FIXTURE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "lamina/base/check.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/store/paged_bytes.h"

namespace lamina {

inline constexpr std::uint64_t kPage = 4096;
inline constexpr NewNode kFile{FileType::kRegular, 0644, 0, {}};

inline std::string NumberedName(int index) {
  return std::string("f").append(std::to_string(index));
}

class MemFsEvents : public EventSink {
 public:
  void OnEvent(const Event& event) override { seen.push_back(event); }
  std::vector<Event> seen;
};

class TextLoader : public LazyContent {
 public:
  explicit TextLoader(std::string_view text) : text_(text) {}
  Result<std::shared_ptr<const PagedBytes>> Load() override {
    ++loads;
    if (error.has_value()) return *error;
    auto content = std::make_shared<PagedBytes>();
    content->Write(0, AsBytes(text_));
    return std::shared_ptr<const PagedBytes>(content);
  }
  int loads = 0;
  std::optional<Errno> error;

 private:
  std::string text_;
};

class MemFsTest : public testing::Test {
 protected:
  OpContext Op() {
    now_.virtual_ns += 1000;
    return OpContext{cred_, now_, Probe(&events_)};
  }
  NodeId Make(std::string_view name, std::string_view content = "") {
    const Result<Opened> opened =
        fs_.CreateOpen(Op(), {fs_.root(), name}, kFile, {.access = Access::kWrite});
    LAMINA_CHECK(opened.ok());
    LAMINA_CHECK(fs_.Write(Op(), opened->handle, 0, AsBytes(content)).ok());
    fs_.Close(opened->handle);
    return opened->node;
  }
  void MakeMany(int count, std::string_view content = "") {
    for (int index = 0; index < count; ++index) Make(NumberedName(index), content);
  }
  void RemoveMany(int count) {
    for (int index = 0; index < count; ++index) {
      LAMINA_CHECK(Unlink(NumberedName(index)).ok());
    }
  }
  Result<void> Unlink(std::string_view name) {
    return fs_.Remove(Op(), {fs_.root(), name}, FileType::kRegular);
  }
  Result<NodeId> MakeLazy(std::string_view name, std::shared_ptr<TextLoader> loader,
                          std::uint64_t size) {
    return fs_.CreateLazy(Op(), {fs_.root(), name}, kFile, size, std::move(loader));
  }
  HandleId Open(NodeId node, Access access = Access::kRead) {
    const Result<HandleId> handle = fs_.Open(Op(), node, {.access = access});
    LAMINA_CHECK(handle.ok());
    return *handle;
  }
  Result<std::size_t> Write(HandleId handle, std::string_view text) {
    return fs_.Write(Op(), handle, 0, AsBytes(text));
  }
  Result<std::string> Read(HandleId handle) {
    std::string text(100, '\0');
    const Result<std::size_t> bytes =
        fs_.Read(Op(), handle, 0, std::as_writable_bytes(std::span(text)));
    if (!bytes.ok()) return bytes.error();
    return text.substr(0, *bytes);
  }
  std::string ContentOf(NodeId node) {
    const HandleId handle = Open(node);
    std::string text = *Read(handle);
    fs_.Close(handle);
    return text;
  }
  bool Has(std::string_view name) { return fs_.Lookup(Op(), {fs_.root(), name}).ok(); }
  std::vector<std::string> Names(HandleId dir, DirCookie from = {}) {
    std::vector<std::string> names;
    const Result<DirCookie> end = fs_.ReadDir(Op(), dir, from, [&](const DirEntry& entry) {
      names.emplace_back(entry.name);
      return true;
    });
    LAMINA_CHECK(end.ok());
    return names;
  }
  Stat StatOf(NodeId node) {
    const Result<Stat> stat = fs_.GetAttr(Op(), node);
    LAMINA_CHECK(stat.ok());
    return *stat;
  }
  Errno ErrorOf(NodeId node) { return fs_.GetAttr(Op(), node).error(); }
  std::uint64_t FreeBytes() { return fs_.GetSpace(Op())->free_bytes; }

  Credentials cred_;
  Instant now_ = kSimulationStart;
  MemFsEvents events_;
  MemFs fs_;
};

}  // namespace lamina
#endif  // LAMINA_TESTS_FS_MEM_FS_FIXTURE_H_
