#include "tests/linearizability/program.h"

#include <array>
#include <atomic>
#include <string>
#include <thread>

#include "tests/linearizability/inode_calls.h"

namespace lamina::sim {
namespace {

using Calls = std::vector<ModelOperation>;

constexpr std::array<const char*, 8> kNames = {"/a", "/b",   "/c",   "/s",
                                               "/t", "/d/x", "/d/y", "/d/c"};
constexpr int kSlots = 3;
constexpr std::size_t kReadBytes = 64;

std::string DrawName(SplitMix64& random) { return kNames[random.Below(kNames.size())]; }

OperationKind DrawKind(SplitMix64& random, std::uint64_t renames) {
  static constexpr std::array kOthers = {
      OperationKind::kMkdir,          OperationKind::kCreate,     OperationKind::kSymlink,
      OperationKind::kUnlink,         OperationKind::kUnlink,     OperationKind::kRmdir,
      OperationKind::kLink,           OperationKind::kStat,       OperationKind::kReaddir,
      OperationKind::kReaddir,        OperationKind::kHandleRead, OperationKind::kHandleWrite,
      OperationKind::kHandleTruncate, OperationKind::kHandleStat, OperationKind::kHandleChmod,
  };
  if (random.Below(10) < renames) return OperationKind::kRename;
  return kOthers[random.Below(kOthers.size())];
}

ModelOperation DrawCall(SplitMix64& random, std::uint64_t renames) {
  ModelOperation o;
  o.kind = DrawKind(random, renames);
  o.path = DrawName(random);
  o.slot = static_cast<int>(random.Below(kSlots));
  o.mode = random.Below(2) == 0 ? 0600 : 0755;
  switch (o.kind) {
    case OperationKind::kRename:
      o.other = DrawName(random);
      o.rename = static_cast<ModelRename>(random.Below(3));
      break;
    case OperationKind::kSymlink:
      o.other = "nowhere";
      break;
    case OperationKind::kLink:
      o.path = "h" + std::to_string(o.slot);
      o.other = DrawName(random);
      break;
    case OperationKind::kReaddir:
      o.path = random.Below(2) == 0 ? "/" : "/d";
      break;
    case OperationKind::kRmdir:
      if (random.Below(4) == 0) o.path = "/d";
      break;
    case OperationKind::kHandleRead:
      o.second = kReadBytes;
      break;
    case OperationKind::kHandleWrite:
    case OperationKind::kHandleTruncate:
      o.slot = 1;  // the one that is open for writing
      o.number = random.Below(10);
      o.data = std::string(1 + random.Below(3), static_cast<char>('A' + random.Below(26)));
      break;
    default:
      break;
  }
  return o;
}

// Calls that see everything that the others can have changed.
Calls LastLook() {
  Calls calls;
  for (const char* path : {"/", "/d"}) {
    ModelOperation o;
    o.kind = OperationKind::kReaddir;
    o.path = path;
    calls.push_back(o);
  }
  for (int slot = 0; slot < kSlots; ++slot) {
    ModelOperation o;
    o.kind = OperationKind::kHandleStat;
    o.slot = slot;
    calls.push_back(o);
    o.kind = OperationKind::kHandleRead;
    o.second = kReadBytes;
    calls.push_back(o);
  }
  return calls;
}

// One counter for all threads, and the gate they start behind.
struct Start {
  std::atomic<std::uint64_t> ticks = 0;
  std::atomic<std::size_t> waiting = 0;

  void Wait(std::size_t threads) {
    waiting.fetch_add(1);
    while (waiting.load() < threads) std::this_thread::yield();
  }
};

RecordedCall Record(InodeCalls& inodes, Start& start, int thread, const ModelOperation& operation,
                    bool pause) {
  RecordedCall call;
  call.thread = thread;
  call.operation = operation;
  call.called = start.ticks.fetch_add(1);
  if (pause) std::this_thread::yield();  // so that calls overlap on few processors, too
  call.result = inodes.Call(operation);
  call.returned = start.ticks.fetch_add(1);
  return call;
}

}  // namespace

Program DrawProgram(SplitMix64& random, std::uint64_t renames) {
  Program program(2 + random.Below(3));
  for (Calls& calls : program) {
    const std::uint64_t count = 3 + random.Below(4);
    for (std::uint64_t i = 0; i < count; ++i) calls.push_back(DrawCall(random, renames));
  }
  return program;
}

History RunProgram(const Program& program, FileSystem& fs, std::uint64_t seed) {
  InodeCalls inodes(fs);
  inodes.Enter("/d");
  inodes.Open(0, "/a", Access::kRead);
  inodes.Open(1, "/b", Access::kReadWrite);
  inodes.Open(2, "/d/x", Access::kRead);
  Start start;
  std::vector<std::vector<RecordedCall>> recorded(program.size());
  std::vector<std::thread> threads;
  for (std::size_t index = 0; index < program.size(); ++index) {
    threads.emplace_back([&, index] {
      SplitMix64 pauses(seed * program.size() + index);
      start.Wait(program.size());
      for (const ModelOperation& operation : program[index]) {
        recorded[index].push_back(
            Record(inodes, start, static_cast<int>(index), operation, pauses.Below(2) == 0));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  History history;
  for (const std::vector<RecordedCall>& calls : recorded) {
    history.calls.insert(history.calls.end(), calls.begin(), calls.end());
  }
  const int last = static_cast<int>(program.size());
  for (const ModelOperation& operation : LastLook()) {
    history.calls.push_back(Record(inodes, start, last, operation, false));
  }
  return history;
}

}  // namespace lamina::sim
