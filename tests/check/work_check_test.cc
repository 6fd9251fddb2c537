// Findings about the work directory and its index, each with its counter-example.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/check/layer_stack.h"

namespace lamina::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const NewNode kDirectory{.type = FileType::kDirectory, .mode = 0755};
const NewNode kFile{.type = FileType::kRegular, .mode = 0644};
const NewNode kWhiteout{.type = FileType::kCharDevice, .mode = 0};

constexpr char kLayers[] =
    "layer base\nput /a 0644 \"1\"\nlink /a /b\nput /single 0644 \"2\"\nlayer upper\n";

// /a and /b of the base are one inode; the upper has a copy of it, called /a and in the index.
class Index : public ::testing::Test {
 protected:
  Index() : stack_(kLayers, {"upper", "base"}) {
    work_ = stack_.Find("upper.work", "");
    index_ = stack_.Make(work_, "index", kDirectory);
  }

  // An entry for `handle`, which is also the upper file `name`.
  NodeId CopyUp(const std::string& handle, std::string_view name) {
    const NodeId file = stack_.Make(stack_.Find("upper", ""), name, kFile);
    stack_.Mark(file, "origin", handle);
    stack_.Link(file, index_, HexOf(handle));
    return file;
  }

  // The entry alone.
  NodeId AddEntry(const std::string& handle, const NewNode& node) {
    return stack_.Make(index_, HexOf(handle), node);
  }

  std::string Origin() const { return stack_.Handle("base", "/a"); }
  std::string EntryOf(const std::string& handle, const std::string& kind) const {
    return "W /index/" + HexOf(handle) + ' ' + kind;
  }

  LayerStack stack_;
  NodeId work_;
  NodeId index_;
};

TEST_F(Index, AnEntryAsTheKernelMakesItIsFine) {
  stack_.Mark(CopyUp(Origin(), "a"), "nlink", "U+0");
  EXPECT_THAT(stack_.Findings(), IsEmpty());
}

TEST_F(Index, BadName) {
  stack_.Make(index_, "junk", kFile);
  stack_.Make(index_, "00fb", kFile);
  EXPECT_THAT(stack_.Findings(),
              ElementsAre("W /index/00fb bad-index-name", "W /index/junk bad-index-name"));
  EXPECT_THAT(stack_.Check()[0].kernel, HasSubstr("refuses every mount with index=on"));
}

TEST_F(Index, WithoutOrigin) {
  const std::string handle = Origin();
  AddEntry(handle, kFile);
  EXPECT_THAT(stack_.Findings(), ElementsAre(EntryOf(handle, "index-without-origin")));
}

TEST_F(Index, WithTheOriginOfAnotherObject) {
  const std::string handle = Origin();
  stack_.Mark(AddEntry(handle, kFile), "origin", stack_.Handle("base", "/single"));
  EXPECT_THAT(stack_.Findings(), ElementsAre(EntryOf(handle, "stale-index")));
}

TEST_F(Index, OfAnObjectThatIsGone) {
  const std::string handle = Origin();
  stack_.Mark(AddEntry(handle, kFile), "origin", handle);
  stack_.Remove("base", "a", FileType::kRegular);
  stack_.Remove("base", "b", FileType::kRegular);
  EXPECT_THAT(stack_.Findings(), ElementsAre(EntryOf(handle, "stale-index")));
  EXPECT_THAT(stack_.Sentences(), EndsWith("removes the entry at the next mount with index=on"));
}

TEST_F(Index, OfAnObjectThatIsGoneButNamedByTheUpper) {
  const std::string handle = Origin();
  CopyUp(handle, "a");
  stack_.Remove("base", "a", FileType::kRegular);
  stack_.Remove("base", "b", FileType::kRegular);
  EXPECT_THAT(stack_.Findings(), ElementsAre("U /a lost-origin", EntryOf(handle, "stale-index")));
  EXPECT_THAT(stack_.Check()[1].kernel, HasSubstr("keeps the entry"));
}

TEST_F(Index, OfAnotherMakerIsNotJudged) {
  std::string handle = HandleOf(1, NodeId{1}) + "12345678";
  handle[2] = static_cast<char>(handle.size());
  CopyUp(handle, "x");
  EXPECT_THAT(stack_.Findings(), IsEmpty());
}

TEST_F(Index, OfAnotherType) {
  const std::string handle = Origin();
  stack_.Mark(AddEntry(handle, {.type = FileType::kFifo, .mode = 0644}), "origin", handle);
  EXPECT_THAT(stack_.Findings(), ElementsAre(EntryOf(handle, "index-of-other-type")));
  EXPECT_THAT(stack_.Sentences(), HasSubstr("fails lookups of that lower object with EIO"));
}

TEST_F(Index, Orphan) {
  const std::string handle = Origin();
  const NodeId entry = AddEntry(handle, kFile);
  stack_.Mark(entry, "origin", handle);
  stack_.Mark(entry, "nlink", "U-1");
  EXPECT_THAT(stack_.Findings(), ElementsAre(EntryOf(handle, "orphan-index")));
  stack_.stack.options.nfs_export = Toggle::kOn;
  EXPECT_THAT(stack_.Sentences(), HasSubstr("puts a whiteout in its place"));
}

// ovl: of a lower inode with one name the nlink mark is not read.
TEST_F(Index, OrphanOfALowerFileWithOneName) {
  const std::string handle = stack_.Handle("base", "/single");
  const NodeId entry = AddEntry(handle, kFile);
  stack_.Mark(entry, "origin", handle);
  stack_.Mark(entry, "nlink", "U+5");
  EXPECT_THAT(stack_.Findings(), ElementsAre(EntryOf(handle, "orphan-index")));
}

// OVL-062: /a was copied up and removed; /b still leads to the entry.
TEST_F(Index, AnEntryAloneIsFineWhileALowerNameLeadsToIt) {
  const std::string handle = Origin();
  const NodeId entry = AddEntry(handle, kFile);
  stack_.Mark(entry, "origin", handle);
  stack_.Mark(entry, "nlink", "U+0");
  stack_.Make(stack_.Find("upper", ""), "a", kWhiteout);
  EXPECT_THAT(stack_.Findings(), IsEmpty());
}

TEST_F(Index, NlinkThatCannotBeRead) {
  const std::string handle = Origin();
  stack_.Mark(CopyUp(handle, "a"), "nlink", "two");
  EXPECT_THAT(stack_.Findings(), ElementsAre(EntryOf(handle, "bad-index-nlink")));
}

TEST_F(Index, NlinkThatIsMissing) {
  const std::string handle = Origin();
  CopyUp(handle, "a");
  EXPECT_THAT(stack_.Findings(), ElementsAre(EntryOf(handle, "bad-index-nlink")));
}

TEST_F(Index, NlinkThatIsWrong) {
  const std::string handle = Origin();
  stack_.Mark(CopyUp(handle, "a"), "nlink", "U+1");
  EXPECT_THAT(stack_.Findings(), ElementsAre(EntryOf(handle, "wrong-index-nlink")));
  EXPECT_THAT(stack_.Sentences(),
              HasSubstr("the count of links is 3, but 2 names lead to the file\n"));
}

// OVL-061: both names were copied up.
TEST_F(Index, NlinkFromTheUpperOrTheLower) {
  const NodeId file = CopyUp(Origin(), "a");
  stack_.Link(file, stack_.Find("upper", ""), "b");
  stack_.Mark(file, "nlink", "U-1");
  EXPECT_THAT(stack_.Findings(), IsEmpty());
  stack_.Mark(file, "nlink", "L+0");
  EXPECT_THAT(stack_.Findings(), IsEmpty());
  stack_.Mark(file, "nlink", "L-1");
  EXPECT_EQ(stack_.Findings().size(), 1u);
}

// A name of the lower inode outside of the layers: nothing tells how many there should be.
TEST_F(Index, NlinkIsNotJudgedWhenTheLowerFileHasNamesElsewhere) {
  stack_.Link(stack_.Find("base", "/a"), work_, "elsewhere");
  stack_.Mark(CopyUp(Origin(), "a"), "nlink", "U+1");
  EXPECT_THAT(stack_.Findings(), IsEmpty());
}

TEST_F(Index, Whiteout) {
  const std::string handle = Origin();
  AddEntry(handle, kWhiteout);
  EXPECT_THAT(stack_.Findings(), ElementsAre(EntryOf(handle, "index-whiteout")));
  stack_.stack.options.nfs_export = Toggle::kOn;
  EXPECT_THAT(stack_.Findings(), IsEmpty());
}

TEST_F(Index, OfADirectory) {
  const std::string handle = Origin();
  const NodeId entry = AddEntry(handle, kDirectory);
  EXPECT_THAT(stack_.Findings(), ElementsAre(EntryOf(handle, "stale-index")));
  const NodeId dir = stack_.Make(stack_.Find("upper", ""), "d", kDirectory);
  stack_.Mark(entry, "upper", stack_.Handle("upper", "/d"));
  EXPECT_THAT(stack_.Findings(), IsEmpty());
  EXPECT_NE(dir, NodeId());
  stack_.Remove("upper", "d", FileType::kDirectory);
  EXPECT_THAT(stack_.Findings(), ElementsAre(EntryOf(handle, "orphan-index")));
}

TEST_F(Index, Temporary) {
  stack_.Make(index_, "#2a", kFile);
  EXPECT_THAT(stack_.Findings(), ElementsAre("W /index/#2a leftover-temporary"));
}

// ── work/ ────────────────────────────────────────────────────────────────────────────────────────

TEST(Work, LeftoverTemporary) {
  const LayerStack stack(kLayers, {"upper", "base"});
  const NodeId work = stack.Find("upper.work", "");
  const NodeId scratch = stack.Make(work, "work", kDirectory);
  stack.Make(work, "foreign", kFile);  // the kernel leaves it alone (OVL-135)
  EXPECT_THAT(stack.Findings(), IsEmpty());
  stack.Make(scratch, "#1", kFile);
  EXPECT_THAT(stack.Findings(), ElementsAre("W /work/#1 leftover-temporary"));
  EXPECT_THAT(stack.Sentences(), HasSubstr("removes everything in work/ at the next mount"));
}

class VolatileMark : public ::testing::Test {
 protected:
  VolatileMark() : stack_(kLayers, {"upper", "base"}) {
    const NodeId scratch = stack_.Make(stack_.Find("upper.work", ""), "work", kDirectory);
    incompat_ = stack_.Make(scratch, "incompat", kDirectory);
  }
  LayerStack stack_;
  NodeId incompat_;
};

TEST_F(VolatileMark, KeepsTheUpperFromBeingMounted) {
  EXPECT_THAT(stack_.Findings(), IsEmpty());
  stack_.Make(incompat_, "volatile", kDirectory);
  EXPECT_THAT(stack_.Findings(), ElementsAre("W /work/incompat/volatile volatile-mark"));
  EXPECT_THAT(stack_.Sentences(), HasSubstr("refuses to mount this upper again (EINVAL)"));
}

TEST_F(VolatileMark, OfTheMountThatIsThereIsFine) {
  stack_.Make(incompat_, "volatile", kDirectory);
  stack_.stack.options.volatile_upper = true;
  EXPECT_EQ(stack_.Findings().size(), 1u);
  stack_.stack.mounted = true;
  EXPECT_THAT(stack_.Findings(), IsEmpty());
}

}  // namespace
}  // namespace lamina::sim
