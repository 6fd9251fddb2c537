#include "vfs/fs/mem_node.h"

#include <algorithm>

#include "lamina/base/check.h"

namespace lamina::internal {
namespace {

auto LowerBound(auto& items, std::string_view key) {
  return std::lower_bound(items.begin(), items.end(), key,
                          [](const XattrTable::Item& item, std::string_view wanted) {
                            return std::string_view(item.first) < wanted;
                          });
}

}  // namespace

static_assert(sizeof(Node) == 80);

const std::string* XattrTable::Find(std::string_view key) const {
  const auto item = LowerBound(items, key);
  return item != items.end() && item->first == key ? &item->second : nullptr;
}

void XattrTable::Set(std::string_view key, std::string_view value) {
  const auto item = LowerBound(items, key);
  if (item != items.end() && item->first == key) {
    item->second = std::string(value);
  } else {
    items.emplace(item, key, value);
  }
}

void XattrTable::Erase(std::string_view key) {
  const auto item = LowerBound(items, key);
  if (item != items.end() && item->first == key) items.erase(item);
}

std::uint64_t XattrTable::value_bytes() const {
  std::uint64_t bytes = 0;
  for (const Item& item : items) bytes += item.second.size();
  return bytes;
}

Result<const PagedBytes*> LazyPart::Load() {
  if (const PagedBytes* content = loaded()) return content;
  const std::lock_guard lock(mutex_);
  if (error_.has_value()) return *error_;
  if (content_ == nullptr) {
    Result<std::shared_ptr<const PagedBytes>> content = source_->Load();
    source_.reset();
    if (!content.ok()) {
      error_ = content.error();
    } else if ((*content)->size_bytes() != size_bytes_) {
      error_ = Errno::kIo;
    }
    if (error_.has_value()) return *error_;
    content_ = *std::move(content);
    loaded_.store(content_.get(), std::memory_order_release);
  }
  return content_.get();
}

Node::Node(const Node& other) : NodeAttributes(other), xattrs(other.xattrs) {
  if (storage == Storage::kSmall) {
    new (&small_) auto(other.small_);
  } else if (storage != Storage::kEmpty) {
    new (&part_) Ref<Part>(other.part_);
  }
}

Node::Node(Node&& other) noexcept : NodeAttributes(other), xattrs(std::move(other.xattrs)) {
  if (storage == Storage::kSmall) {
    new (&small_) auto(other.small_);
  } else if (storage != Storage::kEmpty) {
    new (&part_) Ref<Part>(std::move(other.part_));
  }
}

Node& Node::operator=(Node other) noexcept {
  this->~Node();
  return *new (this) Node(std::move(other));
}

void Node::Clear() {
  if (storage > Storage::kSmall) part_.~Ref<Part>();
  storage = Storage::kEmpty;
}

void Node::BecomeSmall() {
  Clear();
  new (&small_) std::array<std::byte, kSmallBytes>{};
  storage = Storage::kSmall;
}

void Node::BecomePart(Storage kind, Ref<Part> part) {
  LAMINA_CHECK(kind > Storage::kSmall);
  Clear();
  new (&part_) Ref<Part>(std::move(part));
  storage = kind;
}

std::string_view Node::target() const {
  if (storage == Storage::kTarget) return part<const TargetPart>().text;
  return {reinterpret_cast<const char*>(small_.data()), size_or_rdev};
}

}  // namespace lamina::internal
