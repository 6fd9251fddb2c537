#include "lamina/store/page.h"

#include <sys/mman.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <new>

#include "lamina/base/check.h"

#if defined(__SANITIZE_ADDRESS__)
#define LAMINA_POISONS_PAGES 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LAMINA_POISONS_PAGES 1
#endif
#endif
#ifdef LAMINA_POISONS_PAGES
#include <sanitizer/asan_interface.h>
#endif

namespace lamina {
namespace {

using internal::Page;

// A free page is poisoned: under AddressSanitizer a dangling reference is reported, not read.
void MarkFree([[maybe_unused]] const void* start, [[maybe_unused]] std::size_t bytes) {
#ifdef LAMINA_POISONS_PAGES
  __asan_poison_memory_region(start, bytes);
#endif
}

void MarkUsed([[maybe_unused]] const void* start, [[maybe_unused]] std::size_t bytes) {
#ifdef LAMINA_POISONS_PAGES
  __asan_unpoison_memory_region(start, bytes);
#endif
}

enum class ChunkMemory : std::uint8_t { kOnDemand, kPrefaulted };

// The first page of a chunk. `references` comes first: PageReferences() relies on it.
struct Chunk {
  ReferenceCount references[kPagesPerChunk + 1];
  std::uint16_t next_free[kPagesPerChunk + 1];  // page index; 0 ends the list
  std::uint16_t first_free;
  std::uint16_t free_count;
  std::uint16_t shard_index;
  ChunkMemory memory;
  Chunk* next;  // in the shard's list of chunks with a free page

  Page* page(std::size_t index) { return reinterpret_cast<Page*>(this) + index; }
};
static_assert(sizeof(Chunk) <= kPageBytes);

// A thread allocates from one shard; a page goes back to the shard of its chunk.
struct Shard {
  std::mutex mutex;
  Chunk* with_free = nullptr;  // chunks that have a free page; allocation takes from the first
  std::uint64_t live = 0;
};

constexpr std::size_t kShardCount = 8;
constinit Shard g_shards[kShardCount];
constinit std::atomic<std::uint32_t> g_threads_seen{0};

std::uint16_t ShardOfThisThread() {
  thread_local const std::uint32_t number = g_threads_seen.fetch_add(1, std::memory_order_relaxed);
  return static_cast<std::uint16_t>(number % kShardCount);
}

// An aligned, zero-filled mapping of one chunk.
std::byte* MapChunk() {
  constexpr std::size_t kMapped = 2 * kPageChunkBytes;
  void* mapped = mmap(nullptr, kMapped, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  auto* start = static_cast<std::byte*>(mapped);
  const std::size_t over = reinterpret_cast<std::uintptr_t>(mapped) % kPageChunkBytes;
  const std::size_t before = over == 0 ? 0 : kPageChunkBytes - over;
  const std::size_t after = kMapped - before - kPageChunkBytes;
  if (before > 0) munmap(start, before);
  if (after > 0) munmap(start + before + kPageChunkBytes, after);
  std::byte* chunk = start + before;
  madvise(chunk, kPageChunkBytes, MADV_HUGEPAGE);  // a wish: the host may refuse
  return chunk;
}

// Puts a new chunk in front of the shard's list. The shard is locked.
Chunk* AddChunk(Shard& shard, std::uint16_t shard_index, ChunkMemory memory) {
  std::byte* bytes = MapChunk();
  if (memory == ChunkMemory::kPrefaulted) {
    for (std::size_t at = 0; at < kPageChunkBytes; at += kPageBytes) {
      *const_cast<volatile std::byte*>(bytes + at) = std::byte{0};
    }
  }
  auto* chunk = new (bytes) Chunk;
  for (std::size_t index = 1; index < kPagesPerChunk; ++index) {
    chunk->next_free[index] = static_cast<std::uint16_t>(index + 1);
  }
  chunk->next_free[kPagesPerChunk] = 0;
  chunk->first_free = 1;
  chunk->free_count = kPagesPerChunk;
  chunk->shard_index = shard_index;
  chunk->memory = memory;
  chunk->next = shard.with_free;
  shard.with_free = chunk;
  MarkFree(chunk->page(1), kPagesPerChunk * kPageBytes);
  return chunk;
}

Chunk* ChunkOf(const Page* page) {
  const auto address = reinterpret_cast<std::uintptr_t>(page);
  return reinterpret_cast<Chunk*>(address & ~std::uintptr_t{kPageChunkBytes - 1});
}

}  // namespace

namespace internal {

Page* AllocatePage() {
  const std::uint16_t shard_index = ShardOfThisThread();
  Shard& shard = g_shards[shard_index];
  const std::lock_guard<std::mutex> lock(shard.mutex);
  Chunk* chunk = shard.with_free;
  if (chunk == nullptr) chunk = AddChunk(shard, shard_index, ChunkMemory::kOnDemand);

  const std::uint16_t index = chunk->first_free;
  LAMINA_CHECK(index != 0);
  chunk->first_free = chunk->next_free[index];
  --chunk->free_count;
  if (chunk->free_count == 0) shard.with_free = chunk->next;
  ++shard.live;
  chunk->references[index].Set(1);
  Page* page = chunk->page(index);
  MarkUsed(page, kPageBytes);
  return page;
}

void FreePage(Page* page) noexcept {
  Chunk* chunk = ChunkOf(page);
  Shard& shard = g_shards[chunk->shard_index];
  const std::lock_guard<std::mutex> lock(shard.mutex);
  const auto index = static_cast<std::uint16_t>(page - chunk->page(0));
  LAMINA_CHECK(chunk->references[index].value() == 0);
  LAMINA_CHECK(shard.live > 0);
  MarkFree(page, kPageBytes);
  chunk->next_free[index] = chunk->first_free;
  chunk->first_free = index;
  if (chunk->free_count == 0) {
    chunk->next = shard.with_free;
    shard.with_free = chunk;
  }
  ++chunk->free_count;
  --shard.live;
}

}  // namespace internal

PageRef PageRef::New(PageFill fill) {
  PageRef page(internal::AllocatePage());
  if (fill == PageFill::kZeros) std::memset(page.mutable_bytes(), 0, kPageBytes);
  return page;
}

std::uint64_t PagesLive() {
  std::uint64_t live = 0;
  for (Shard& shard : g_shards) {
    const std::lock_guard<std::mutex> lock(shard.mutex);
    live += shard.live;
  }
  return live;
}

void PrefaultPages(std::uint64_t count) {
  const std::uint16_t shard_index = ShardOfThisThread();
  Shard& shard = g_shards[shard_index];
  const std::lock_guard<std::mutex> lock(shard.mutex);
  std::uint64_t ready = 0;
  for (const Chunk* chunk = shard.with_free; chunk != nullptr; chunk = chunk->next) {
    if (chunk->memory == ChunkMemory::kPrefaulted) ready += chunk->free_count;
  }
  for (; ready < count; ready += kPagesPerChunk) {
    AddChunk(shard, shard_index, ChunkMemory::kPrefaulted);
  }
}

}  // namespace lamina
