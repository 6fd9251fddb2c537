#include "vfs/fs/mem_content.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "lamina/base/check.h"
#include "lamina/store/page.h"

namespace lamina::internal {
namespace {

// The pages; null when the node has none (empty, small, lazy and not loaded).
const PagedBytes* PagesOf(const Node& node) {
  if (node.storage == Storage::kPaged) return &node.part<const PagedPart>().bytes;
  if (node.storage == Storage::kLazy) return node.part<const LazyPart>().loaded();
  return nullptr;
}

Bytes SmallPart(const Node& node, std::uint64_t offset, std::size_t length) {
  return Bytes(node.small()).subspan(offset, length);
}

}  // namespace

Result<void> LoadContent(const Node& node) {
  if (node.storage != Storage::kLazy) return {};
  Result<const PagedBytes*> content = node.part<LazyPart>().Load();
  if (!content.ok()) return content.error();
  return {};
}

Result<void> MakeWritable(Node& node) {
  if (node.storage != Storage::kLazy) return {};
  if (Result<void> loaded = LoadContent(node); !loaded.ok()) return loaded;
  ReplaceContent(node, PagesOf(node)->Clone());
  return {};
}

std::uint64_t ContentPages(const Node& node) {
  if (node.storage == Storage::kSmall) return 1;
  const PagedBytes* pages = PagesOf(node);
  return pages == nullptr ? 0 : pages->page_count();
}

std::size_t ReadContent(const Node& node, std::uint64_t offset, MutableBytes into) {
  if (const PagedBytes* pages = PagesOf(node)) return pages->Read(offset, into);
  if (offset >= node.size_or_rdev) return 0;
  const std::size_t length = std::min<std::uint64_t>(into.size(), node.size_or_rdev - offset);
  if (length == 0) return 0;
  if (node.storage == Storage::kSmall) {
    std::memcpy(into.data(), SmallPart(node, offset, length).data(), length);
  } else {
    std::memset(into.data(), 0, length);
  }
  return length;
}

std::optional<std::uint64_t> NextContentData(const Node& node, std::uint64_t from) {
  if (const PagedBytes* pages = PagesOf(node)) return pages->NextData(from);
  if (from >= node.size_or_rdev || node.storage != Storage::kSmall) return std::nullopt;
  return from;
}

std::optional<std::uint64_t> NextContentHole(const Node& node, std::uint64_t from) {
  if (const PagedBytes* pages = PagesOf(node)) return pages->NextHole(from);
  if (from >= node.size_or_rdev) return std::nullopt;
  return node.storage == Storage::kSmall ? node.size_or_rdev : from;
}

std::uint64_t PagesMissing(const Node& node, std::uint64_t offset, std::uint64_t length) {
  if (length == 0) return 0;
  if (const PagedBytes* pages = PagesOf(node)) return pages->PagesMissing(offset, length);
  const std::uint64_t first = offset / kPageBytes;
  const std::uint64_t last = (offset + length - 1) / kPageBytes;
  const std::uint64_t present = node.storage == Storage::kSmall && first == 0 ? 1 : 0;
  return last - first + 1 - present;
}

PagedBytes CloneContent(const Node& node) {
  if (const PagedBytes* pages = PagesOf(node)) return pages->Clone();
  PagedBytes content;
  content.Resize(node.size_or_rdev);
  if (node.storage == Storage::kSmall) content.Write(0, SmallPart(node, 0, node.size_or_rdev));
  return content;
}

PagedBytes& WritablePages(Node& node) {
  LAMINA_CHECK(node.storage != Storage::kLazy);
  if (node.storage != Storage::kPaged) {
    PagedBytes content = CloneContent(node);
    node.BecomePart(Storage::kPaged, Ref<Part>::Adopt(new PagedPart(std::move(content))));
  }
  return node.WritablePart<PagedPart>().bytes;
}

void WriteContent(Node& node, std::uint64_t offset, Bytes from) {
  if (from.empty()) return;
  const std::uint64_t size = std::max(node.size_or_rdev, offset + from.size());
  if (node.storage <= Storage::kSmall && size <= kSmallBytes) {
    if (node.storage == Storage::kEmpty) node.BecomeSmall();
    std::memcpy(node.small().data() + offset, from.data(), from.size());
  } else {
    WritablePages(node).Write(offset, from);
  }
  node.size_or_rdev = size;
}

void ResizeContent(Node& node, std::uint64_t size_bytes) {
  const std::uint64_t before = std::exchange(node.size_or_rdev, size_bytes);
  if (size_bytes == 0 || node.storage == Storage::kEmpty) {
    node.Clear();
  } else if (node.storage == Storage::kSmall && size_bytes <= kSmallBytes) {
    if (size_bytes < before) std::memset(&node.small()[size_bytes], 0, before - size_bytes);
  } else {
    if (node.storage == Storage::kSmall) node.size_or_rdev = before;
    WritablePages(node).Resize(size_bytes);
    node.size_or_rdev = size_bytes;
  }
}

void PunchContent(Node& node, std::uint64_t offset, std::uint64_t length) {
  if (node.storage == Storage::kEmpty) return;
  if (node.storage != Storage::kSmall) {
    WritablePages(node).PunchHole(offset, length);
    return;
  }
  if (offset == 0 && length >= kPageBytes) {
    node.Clear();
  } else if (offset < kSmallBytes) {
    std::memset(&node.small()[offset], 0, std::min(kSmallBytes - offset, length));
  }
}

void ProvisionContent(Node& node, std::uint64_t offset, std::uint64_t length) {
  if (PagesMissing(node, offset, length) != 0) WritablePages(node).Provision(offset, length);
}

void ReplaceContent(Node& node, PagedBytes content) {
  node.size_or_rdev = content.size_bytes();
  node.BecomePart(Storage::kPaged, Ref<Part>::Adopt(new PagedPart(std::move(content))));
}

}  // namespace lamina::internal
