// Object handles in marks and in the names of index entries: those made here, those of a kernel.
#include "lamina/union/object_handle.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "lamina/fs/mem_fs.h"
#include "lamina/fs/process.h"
#include "lamina/union/overlay.h"
#include "tests/union/overlay_stack.h"

namespace lamina {
namespace {

class ObjectHandleTest : public testing::Test {
 protected:
  std::string HandleOfRoot(HandleOf of = HandleOf::kLower) {
    return EncodeHandle(op_, fs_, *fs_.GetAttr(op_, fs_.root()), of);
  }

  // One of tmpfs: 16 bytes uuid, 12 bytes of its own.
  std::string OfAKernel() {
    std::string bytes = HandleOfRoot() + std::string(12, 'x');
    bytes[2] = static_cast<char>(bytes.size());
    bytes[4] = 1;
    return bytes;
  }

  const Credentials cred_;
  const OpContext op_{cred_, kSimulationStart, {}};
  MemFs fs_;
};

TEST_F(ObjectHandleTest, NamesTheObject) {
  const auto handle = ParseHandle(HandleOfRoot());
  ASSERT_TRUE(handle.ok());
  EXPECT_TRUE(handle->ours);
  EXPECT_FALSE(handle->of_writable);
  const Result<Stat> stat = DecodeHandle(op_, fs_, *handle);
  ASSERT_TRUE(stat.ok());
  EXPECT_EQ(stat->node, fs_.root());
}

TEST_F(ObjectHandleTest, TellsTheWritableBranch) {
  EXPECT_TRUE(ParseHandle(HandleOfRoot(HandleOf::kWritable))->of_writable);
}

TEST_F(ObjectHandleTest, OfAnotherFileSystemIsStale) {
  auto handle = *ParseHandle(HandleOfRoot());
  handle.dev += 1;
  EXPECT_EQ(DecodeHandle(op_, fs_, handle).error(), Errno::kStale);
}

TEST_F(ObjectHandleTest, OfAKernelIsAHandleThatNamesNothingHere) {
  const auto handle = ParseHandle(OfAKernel());
  ASSERT_TRUE(handle.ok());
  EXPECT_FALSE(handle->ours);
  EXPECT_EQ(DecodeHandle(op_, fs_, *handle).error(), Errno::kStale);
}

TEST_F(ObjectHandleTest, IsNoneOfAnotherForm) {
  EXPECT_EQ(ParseHandle("").error(), Errno::kInval);
  EXPECT_EQ(ParseHandle(std::string(21, 'a')).error(), Errno::kInval);
  EXPECT_EQ(ParseHandle(HandleOfRoot().substr(0, 20)).error(), Errno::kInval);
  std::string longer = HandleOfRoot();
  longer[2] = 22;  // it says that it is longer than it is
  EXPECT_EQ(ParseHandle(longer).error(), Errno::kInval);
}

TEST_F(ObjectHandleTest, OfAnUnknownVersionFlagOrEndianness) {
  for (const auto& [at, value] : {std::pair(0, 1), {3, 1}, {3, 8}}) {
    std::string bytes = OfAKernel();
    bytes[static_cast<std::size_t>(at)] = static_cast<char>(value);
    EXPECT_EQ(ParseHandle(bytes).error(), Errno::kNoData) << at << ' ' << value;
  }
  std::string any_endian = OfAKernel();
  any_endian[3] = 3;
  EXPECT_TRUE(ParseHandle(any_endian).ok());
}

TEST_F(ObjectHandleTest, IndexNameIsTheHandleInHex) {
  for (const std::string& bytes : {HandleOfRoot(), OfAKernel()}) {
    const std::string name = IndexName(bytes);
    EXPECT_EQ(name.size(), 2 * bytes.size());
    EXPECT_EQ(*ParseIndexName(name), bytes);
    EXPECT_EQ(*ParseIndexName(name + 'z'), bytes);  // as on Linux 6.18
  }
  EXPECT_EQ(ParseIndexName("").error(), Errno::kInval);
  EXPECT_EQ(ParseIndexName("00fb").error(), Errno::kInval);
  std::string no_hex = IndexName(HandleOfRoot());
  no_hex.back() = 'g';
  EXPECT_EQ(ParseIndexName(no_hex).error(), Errno::kInval);
}

// What a mount with index=on makes of a work directory that was filled by hand; answers of Linux
// 6.18 (the handles have tmpfs's length).
class ForeignIndex : public testing::Test {
 protected:
  static std::string Handle(char flags = 0, char version = 0) {
    std::string bytes{version, '\xfb', 33, flags, 1};
    for (char c = 0; bytes.size() < 33; ++c) bytes += c;
    return bytes;
  }

  void Put(const std::string& name, const std::string& origin = "") {
    path_ = "/work/index/" + name;
    ASSERT_TRUE(home_->Mkdir("/work/index", 0755).ok());
    PutFile(*home_, path_, "x");
    if (!origin.empty()) Mark(path_, origin);
  }
  void Mark(const std::string& path, const std::string& origin) {
    const Result<void> set =
        home_->Setxattr(path, "trusted.overlay.origin", origin, XattrMode::kSet, LastLink::kKeep);
    ASSERT_TRUE(set.ok());
  }
  void LinkIntoUpper() { ASSERT_TRUE(home_->Link(path_, "/upper/g", LastLink::kKeep).ok()); }

  // "OK kept", "OK removed" or the error.
  std::string Mount() {
    OverlayMount mount = stack_.Request();
    mount.options.index = Toggle::kOn;
    const auto mounted = stack_.TryMount(mount);
    if (!mounted.ok()) return std::string(ErrnoName(mounted.error()));
    return home_->GetStat(path_, LastLink::kKeep).ok() ? "OK kept" : "OK removed";
  }

  OverlayStack stack_{1};
  std::unique_ptr<Process> home_ = stack_.OnHome();
  std::string path_ = "/upper";
};

TEST_F(ForeignIndex, NameThatIsNoHandle) {
  Put("zz");
  EXPECT_EQ(Mount(), "EINVAL");
}

TEST_F(ForeignIndex, NameThatIsTooShort) {
  Put("00fb");
  EXPECT_EQ(Mount(), "EINVAL");
}

TEST_F(ForeignIndex, NameOfAnUnknownVersion) {
  Put(IndexName(Handle(0, 1)));
  EXPECT_EQ(Mount(), "ENODATA");
}

TEST_F(ForeignIndex, NameWithAnUnknownFlag) {
  Put(IndexName(Handle('\x80')));
  EXPECT_EQ(Mount(), "ENODATA");
}

TEST_F(ForeignIndex, NoMark) {
  Put(IndexName(Handle()));
  EXPECT_EQ(Mount(), "ENODATA");
}

TEST_F(ForeignIndex, MarkThatIsNoHandle) {
  Put(IndexName(Handle()), "\x12\x34");
  EXPECT_EQ(Mount(), "ENODATA");
}

TEST_F(ForeignIndex, MarkOfAnotherEndianness) {
  Put(IndexName(Handle()), Handle(1));
  EXPECT_EQ(Mount(), "ENODATA");
}

TEST_F(ForeignIndex, MarkOfAnotherObject) {
  Put(IndexName(Handle()), Handle(4));
  EXPECT_EQ(Mount(), "OK removed");
}

TEST_F(ForeignIndex, OnlyTheIndexHoldsTheFile) {
  Put(IndexName(Handle()), Handle());
  EXPECT_EQ(Mount(), "OK removed");
}

TEST_F(ForeignIndex, TheUpperHoldsTheFileToo) {
  Put(IndexName(Handle()), Handle());
  LinkIntoUpper();
  EXPECT_EQ(Mount(), "OK kept");
}

TEST_F(ForeignIndex, NameWithAnOddDigit) {
  Put(IndexName(Handle()) + 'z', Handle());
  LinkIntoUpper();
  EXPECT_EQ(Mount(), "OK kept");
}

TEST_F(ForeignIndex, UpperRootOfAnotherLowerRoot) {
  Mark("/upper", Handle());
  EXPECT_EQ(Mount(), "ESTALE");
}

TEST_F(ForeignIndex, UpperRootWithoutAHandleThatIsKnown) {
  for (const std::string& mark : {std::string("\x12\x34"), Handle(0, 1), Handle('\x80')}) {
    Mark("/upper", mark);
    EXPECT_EQ(Mount(), "OK kept");
  }
}

}  // namespace
}  // namespace lamina
