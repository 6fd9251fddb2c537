#include "vfs/fs/mem_names.h"

#include <bit>
#include <cstring>
#include <new>

#include "absl/hash/hash.h"
#include "lamina/base/check.h"
#include "vfs/fs/mem_footprint.h"

namespace lamina::internal {
namespace {

// Average entries in a bucket at which one more is made; at half of it one is given up.
constexpr std::uint32_t kEntriesPerBucket = 12;

std::uint16_t CapacityFor(unsigned count) {
  unsigned capacity = 2;
  while (capacity < count) capacity += capacity < 8 ? 2 : 4;
  LAMINA_CHECK(capacity <= 0xffff);
  return static_cast<std::uint16_t>(capacity);
}

// The bucket that bucket `number` was split from.
std::uint32_t BuddyOf(std::uint32_t number) { return number - std::bit_floor(number); }

}  // namespace

HashedName::HashedName(std::string_view name)
    : text(name), hash(static_cast<std::uint32_t>(absl::Hash<std::string_view>()(name))) {}

Ref<const NameEntry> NameEntry::New(std::string_view name, const NameTarget& target,
                                    std::uint64_t sequence) {
  void* memory = ::operator new(SizeFor(name.size()));
  auto* entry = new (memory) NameEntry();
  entry->type = target.type;
  entry->zero_device = target.zero_device;
  entry->length = static_cast<std::uint16_t>(name.size());
  entry->node = target.node;
  entry->sequence = sequence;
  std::memcpy(static_cast<void*>(entry + 1), name.data(), name.size());
  return Ref<const NameEntry>::Adopt(entry);
}

void NameEntry::Free(const NameEntry* entry) { ::operator delete(const_cast<NameEntry*>(entry)); }

NameBucket* NameBucket::New(std::uint16_t capacity) {
  return new (::operator new(SizeFor(capacity))) NameBucket(capacity);
}

void NameBucket::Free(NameBucket* bucket) {
  for (unsigned index = 0; index < bucket->count_; ++index) {
    Ref<const NameEntry>::Adopt(bucket->entries()[index]);
  }
  ::operator delete(bucket);
}

unsigned NameBucket::IndexOf(const HashedName& name) const {
  const std::uint32_t* hashes = this->hashes();
  for (unsigned index = 0; index < count_; ++index) {
    if (hashes[index] != name.hash) continue;
    if (entries()[index]->name() == name.text) return index;
  }
  return count_;
}

void NameBucket::Append(std::uint32_t hash, const NameEntry* entry) {
  LAMINA_CHECK(count_ < capacity_);
  hashes()[count_] = hash;
  entries()[count_] = entry;
  ++count_;
}

const NameEntry* NameBucket::Take(unsigned index) {
  const NameEntry* taken = entries()[index];
  --count_;
  hashes()[index] = hashes()[count_];
  entries()[index] = entries()[count_];
  return taken;
}

const NameEntry* NameBucket::Exchange(unsigned index, const NameEntry* entry) {
  return std::exchange(entries()[index], entry);
}

void NameBucket::AppendCopies(const NameBucket& other) {
  for (unsigned index = 0; index < other.count_; ++index) {
    other.entry(index)->AddReference();
    Append(other.hash(index), other.entry(index));
  }
}

NameTable::NameTable(const NameTable& other)
    : first_(other.first_),
      rest_(other.rest_.Clone()),
      order_(other.order_.Clone()),
      count_(other.count_),
      buckets_(other.buckets_),
      next_sequence_(other.next_sequence_) {}

std::uint32_t NameTable::BucketOf(std::uint32_t hash) const {
  const std::uint32_t size = std::bit_ceil(buckets_);  // smallest power of two that covers all
  const std::uint32_t number = hash & (size - 1);
  return number < buckets_ ? number : number - size / 2;
}

const NameBucket* NameTable::BucketAt(std::uint32_t number) const {
  if (number == 0) return first_.get();
  const BucketRef* bucket = rest_.Find(number);
  return bucket == nullptr ? nullptr : bucket->get();
}

NameTable::BucketRef& NameTable::BucketSlot(std::uint32_t number) {
  return number == 0 ? first_ : rest_.FindOrInsert(number);
}

NameBucket& NameTable::Writable(BucketRef& slot, unsigned more) {
  const unsigned count = slot ? slot->count() : 0;
  const bool fits = slot && count + more <= slot->capacity();
  if (fits && slot->exclusive()) return *slot;
  BucketRef larger = BucketRef::Adopt(NameBucket::New(CapacityFor(count + more)));
  if (slot) larger->AppendCopies(*slot);
  slot = std::move(larger);
  return *slot;
}

const NameEntry* NameTable::Find(const HashedName& name) const {
  const NameBucket* bucket = BucketAt(BucketOf(name.hash));
  if (bucket == nullptr) return nullptr;
  const unsigned index = bucket->IndexOf(name);
  return index == bucket->count() ? nullptr : bucket->entry(index);
}

void NameTable::Insert(const HashedName& name, const NameTarget& target) {
  Ref<const NameEntry> entry = NameEntry::New(name.text, target, next_sequence_);
  entry->AddReference();
  Writable(BucketSlot(BucketOf(name.hash)), 1).Append(name.hash, entry.get());
  order_.FindOrInsert(next_sequence_) = std::move(entry);
  ++next_sequence_;
  ++count_;
  if (count_ > kEntriesPerBucket * buckets_) Split();
}

void NameTable::Erase(const HashedName& name) {
  NameBucket& bucket = Writable(BucketSlot(BucketOf(name.hash)), 0);
  const unsigned index = bucket.IndexOf(name);
  LAMINA_CHECK(index < bucket.count());
  const auto entry = Ref<const NameEntry>::Adopt(bucket.Take(index));
  order_.Erase(entry->sequence);
  --count_;
  if (buckets_ > 1 && count_ < kEntriesPerBucket / 2 * buckets_) Merge();
}

void NameTable::Replace(const HashedName& name, const NameTarget& target) {
  NameBucket& bucket = Writable(BucketSlot(BucketOf(name.hash)), 0);
  const unsigned index = bucket.IndexOf(name);
  LAMINA_CHECK(index < bucket.count());
  const std::uint64_t sequence = bucket.entry(index)->sequence;
  Ref<const NameEntry> entry = NameEntry::New(name.text, target, sequence);
  entry->AddReference();
  Ref<const NameEntry>::Adopt(bucket.Exchange(index, entry.get()));
  order_.FindOrInsert(sequence) = std::move(entry);
}

void NameTable::Split() {
  const std::uint32_t added = buckets_;
  const std::uint32_t mask = std::bit_floor(added);
  NameBucket& source = Writable(BucketSlot(BuddyOf(added)), 0);
  unsigned moving = 0;
  for (unsigned index = 0; index < source.count(); ++index) {
    if ((source.hash(index) & mask) != 0) ++moving;
  }
  BucketRef target = BucketRef::Adopt(NameBucket::New(CapacityFor(moving + 1)));
  for (unsigned index = 0; index < source.count();) {
    const std::uint32_t hash = source.hash(index);
    if ((hash & mask) == 0) {
      ++index;
    } else {
      target->Append(hash, source.Take(index));
    }
  }
  rest_.FindOrInsert(added) = std::move(target);
  ++buckets_;
}

void NameTable::Merge() {
  const std::uint32_t removed = buckets_ - 1;
  const BucketRef source = BucketSlot(removed);
  rest_.Erase(removed);
  --buckets_;
  if (source) Writable(BucketSlot(BuddyOf(removed)), source->count()).AppendCopies(*source);
}

std::uint64_t NameTable::memory_bytes() const {
  std::uint64_t bytes = RadixFootprint(rest_) + RadixFootprint(order_);
  for (std::uint32_t number = 0; number < buckets_; ++number) {
    const NameBucket* bucket = BucketAt(number);
    if (bucket != nullptr) bytes += HeapBlock(NameBucket::SizeFor(bucket->capacity()));
  }
  order_.ForEach([&](std::uint64_t, const Ref<const NameEntry>& entry) {
    bytes += HeapBlock(NameEntry::SizeFor(entry->length));
  });
  return bytes;
}

}  // namespace lamina::internal
