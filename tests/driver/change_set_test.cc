// What the names of entries mean, and what a tar of them looks like.
#include "lamina/driver/change_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lamina/base/bytes.h"
#include "lamina/store/paged_bytes.h"
#include "tests/driver/entries.h"
#include "tests/driver/machine.h"

namespace lamina {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ChangeKind, HasTheLetterOfDockerDiff) {
  EXPECT_EQ(ChangeLetter(ChangeKind::kAdd), "A");
  EXPECT_EQ(ChangeLetter(ChangeKind::kModify), "C");
  EXPECT_EQ(ChangeLetter(ChangeKind::kDelete), "D");
}

struct Name {
  const char* path;
  LayerMark mark;
};
class LayerMarks : public ::testing::TestWithParam<Name> {};

TEST_P(LayerMarks, FollowFromTheName) { EXPECT_EQ(MarkOf(GetParam().path), GetParam().mark); }
INSTANTIATE_TEST_SUITE_P(
    Names, LayerMarks,
    ::testing::Values(Name{"/", LayerMark::kNone}, Name{"/f", LayerMark::kNone},
                      Name{"/wh.f", LayerMark::kNone}, Name{"/.whf", LayerMark::kNone},
                      Name{"/.wh.f", LayerMark::kWhiteout}, Name{"/d/.wh.f", LayerMark::kWhiteout},
                      Name{"/.wh.d/f", LayerMark::kNone}, Name{"/.wh..wh..opq", LayerMark::kOpaque},
                      Name{"/d/.wh..wh..opq", LayerMark::kOpaque},
                      Name{"/.wh..wh.aufs", LayerMark::kPrivate},
                      Name{"/.wh..wh.plnk/1.2", LayerMark::kPrivate},
                      Name{"/d/.wh..wh.plnk", LayerMark::kWhiteout}));

TEST(LayerPaths, HaveParentsAndNames) {
  EXPECT_EQ(ParentPath("/a/b"), "/a");
  EXPECT_EQ(ParentPath("/a"), "/");
  EXPECT_EQ(LastName("/a/b"), "b");
  EXPECT_EQ(HiddenPath("/a/.wh.b"), "/a/b");
  EXPECT_EQ(HiddenPath("/.wh.b"), "/b");
}

TEST(LayerEntry, WithoutABodyIsEmpty) {
  LayerEntry entry = FileEntry("/f");
  EXPECT_EQ(entry.size_bytes(), 0);
  auto content = std::make_shared<PagedBytes>();
  content->Write(2, AsBytes("text"));
  entry.content = content;
  EXPECT_EQ(entry.size_bytes(), 6);
}

TEST(TarMembers, AreInTheOrderOfAWalk) {
  const ChangeSet set{{FileEntry("/a-b"), FileEntry("/a/c"), DirectoryEntry("/a"),
                       FileEntry("/a/b"), FileEntry("/Z"), FileEntry("/a0"), FileEntry("/\xff"),
                       FileEntry("/a/.wh.x")}};
  EXPECT_THAT(MemberLines(set),
              ElementsAre("Z", "a/", "a/.wh.x", "a/b", "a/c", "a-b", "a0", "\xff"));
}

TEST(TarMembers, LeaveTheRootOut) {
  EXPECT_THAT(MemberLines({{DirectoryEntry("/")}}), IsEmpty());
  EXPECT_THAT(MemberLines({{DirectoryEntry("/"), FileEntry("/f")}}), ElementsAre("f"));
}

// The first name in the tar has the body, whichever the set has it at.
TEST(TarMembers, LinkToTheFirstNameInTheTar) {
  LayerEntry body = FileEntry("/z");
  body.content = std::make_shared<PagedBytes>();
  const ChangeSet set{{body, LinkEntry("/m", "/z"), LinkEntry("/a", "/m")}};
  EXPECT_THAT(MemberLines(set), ElementsAre("a", "m -> a", "z -> a"));
  EXPECT_EQ(TarMembers(set).front().entry->content, body.content);
}

TEST(TarMembers, LinkOutOfTheSetStaysALink) {
  EXPECT_THAT(MemberLines({{LinkEntry("/a", "/of/a/lower/layer")}}),
              ElementsAre("a -> of/a/lower/layer"));
}

}  // namespace
}  // namespace lamina
