#include "lamina/fs/walk.h"

#include <numeric>

#include "tests/fs/process_fixture.h"

namespace lamina {
namespace {

using testing::Eq;
using testing::SizeIs;
using testing::ValuesIn;

class WalkTest : public testing::Test, protected ProcessFixture {
 protected:
  Result<WalkResult> Go(std::string_view path, LastLink last_link = LastLink::kFollow) {
    return Walk({process.credentials(), clock.now(), {}}, {&fs, fs.root(), {}}, path, last_link);
  }
  NodeId NodeOf(std::string_view path) { return process.GetStat(path, LastLink::kKeep)->node; }
};

TEST_F(WalkTest, ChainHoldsTheDirectoriesDownToTheParent) {
  const WalkResult walk = *Go("/d/../d/./e/file");
  EXPECT_THAT(walk.chain, testing::ElementsAre(fs.root(), NodeOf("/d"), NodeOf("/d/e")));
  EXPECT_THAT(walk.name, Eq("file"));
  EXPECT_THAT(walk.stat->node, Eq(NodeOf("/d/e/file")));
}

TEST_F(WalkTest, ChainIsThePhysicalOneBehindALink) {
  const WalkResult walk = *Go("/ld/e");
  EXPECT_THAT(walk.chain, testing::ElementsAre(fs.root(), NodeOf("/d")));
}

TEST_F(WalkTest, DotDotGoesUpFromWhereTheLinkLed) {
  EXPECT_THAT(Go("/ld/e/../../f")->stat->node, Eq(NodeOf("/f")));
}

TEST_F(WalkTest, DotDotOfTheRootIsTheRoot) {
  const WalkResult walk = *Go("/../..");
  EXPECT_THAT(walk.last, Eq(WalkResult::Last::kDotDot));
  EXPECT_THAT(walk.chain, testing::ElementsAre(fs.root()));
}

TEST_F(WalkTest, DotEndsAtTheDirectoryItself) {
  const WalkResult walk = *Go("/d/e/.");
  EXPECT_THAT(walk.last, Eq(WalkResult::Last::kDot));
  EXPECT_THAT(walk.chain, SizeIs(3));
  EXPECT_THAT(walk.stat->node, Eq(NodeOf("/d/e")));
}

TEST_F(WalkTest, SlashesAloneAreTheRoot) {
  EXPECT_THAT(Go("///")->last, Eq(WalkResult::Last::kRoot));
}

TEST_F(WalkTest, MissingLastNameIsAPlaceToMakeIt) {
  const WalkResult walk = *Go("/d/new");
  EXPECT_FALSE(walk.stat.has_value());
  EXPECT_THAT(walk.place().dir, Eq(NodeOf("/d")));
  EXPECT_THAT(walk.place().name, Eq("new"));
  EXPECT_THAT(walk.missing, Eq(Errno::kNoEnt));
}

TEST_F(WalkTest, MissingTargetOfALinkIsThePlace) {
  EXPECT_THAT(Go("/dangling")->name, Eq("nothing"));
}

TEST_F(WalkTest, TrailingSlashFollowsALinkThatIsKept) {
  EXPECT_THAT(Go("/ld", LastLink::kKeep)->stat->type, Eq(FileType::kSymlink));
  EXPECT_THAT(Go("/ld/", LastLink::kKeep)->stat->type, Eq(FileType::kDirectory));
}

TEST_F(WalkTest, ParentWalkKeepsALinkInSpiteOfASlash) {
  const Result<WalkResult> walk =
      WalkToParent({process.credentials(), clock.now(), {}}, {&fs, fs.root(), {}}, "/ld/");
  EXPECT_THAT(walk->name, Eq("ld"));
  EXPECT_TRUE(walk->trailing_slash);
  EXPECT_THAT(walk->stat->type, Eq(FileType::kSymlink));
}

TEST_F(WalkTest, AbsoluteLinkBeginsAtTheRootOfTheProcess) {
  Must(process.Mkdir("/d/etc", 0755));
  Must(process.Symlink("/etc", "/d/abs"));
  const WalkStart inside{&fs, NodeOf("/d"), {}};
  const Result<WalkResult> walk =
      Walk({process.credentials(), clock.now(), {}}, inside, "/abs/../..", LastLink::kFollow);
  EXPECT_THAT(walk->stat->node, Eq(NodeOf("/d")));
}

TEST_F(WalkTest, LinksInTheMiddleNest) {
  Must(process.Symlink("ld/e", "/a"));
  Must(process.Symlink("a/x/../", "/b"));
  EXPECT_THAT(Go("/b/file")->stat->node, Eq(NodeOf("/d/e/file")));
}

TEST_F(WalkTest, FortyLinksAreFollowedAndNotOneMore) {
  Must(process.Symlink("f", "/link1"));
  std::vector<int> numbers(40);
  std::iota(numbers.begin(), numbers.end(), 2);
  for (const int number : numbers) {
    Must(process.Symlink("link" + std::to_string(number - 1), "/link" + std::to_string(number)));
  }
  EXPECT_THAT(Said(Go("/link40")), Eq("OK"));
  EXPECT_THAT(Said(Go("/link41")), Eq("ELOOP"));
}

TEST_F(WalkTest, LimitsOfPathAndName) {
  std::string path;
  while (path.size() + 2 <= kMaxPathBytes) path += "/.";
  EXPECT_THAT(Said(Go(path)), Eq("OK"));
  EXPECT_THAT(Said(Go(path + "//")), Eq("ENAMETOOLONG"));
  EXPECT_THAT(Go("/" + std::string(256, 'n'))->missing, Eq(Errno::kNameTooLong));
  EXPECT_THAT(Go("/" + std::string(255, 'n'))->missing, Eq(Errno::kNoEnt));
  EXPECT_THAT(Said(Go("/" + std::string(256, 'n') + "/a")), Eq("ENAMETOOLONG"));
}

struct PathCase {
  std::string name;
  std::string path;
  std::string want;
};
void PrintTo(const PathCase& c, std::ostream* out) { *out << c.name; }

class WalkErrors : public WalkTest, public testing::WithParamInterface<PathCase> {};
TEST_P(WalkErrors, AreThoseOfLinux) { EXPECT_THAT(Said(Go(GetParam().path)), Eq(GetParam().want)); }

const PathCase kPaths[] = {
    {"empty", "", "ENOENT"},
    {"missing_in_the_middle", "/nope/a", "ENOENT"},
    {"missing_before_dotdot", "/nope/..", "ENOENT"},
    {"file_in_the_middle", "/f/a", "ENOTDIR"},
    {"file_before_dot", "/f/.", "ENOTDIR"},
    {"file_before_dotdot", "/f/..", "ENOTDIR"},
    {"file_with_slash", "/f/", "ENOTDIR"},
    {"link_to_file_with_slash", "/lf/", "ENOTDIR"},
    {"link_whose_body_has_a_slash", "/lfs", "ENOTDIR"},
    {"dangling_in_the_middle", "/dangling/a", "ENOENT"},
    {"loop", "/loop", "ELOOP"},
    {"loop_in_the_middle", "/loop/a", "ELOOP"},
    {"fifo_in_the_middle", "/p/a", "ENOTDIR"},
};
INSTANTIATE_TEST_SUITE_P(All, WalkErrors, ValuesIn(kPaths),
                         [](const auto& tested) { return tested.param.name; });

TEST_F(WalkTest, SearchPermissionIsAskedOfEveryDirectory) {
  Must(process.Mkdir("/shut/in", 0777));
  BecomeUser();
  EXPECT_THAT(Said(Go("/shut/in")), Eq("EACCES"));
  EXPECT_THAT(Said(Go("/shut/nope")), Eq("EACCES"));
  EXPECT_THAT(Said(Go("/shut/..")), Eq("EACCES"));
  EXPECT_THAT(Said(Go("/shut")), Eq("OK"));
  EXPECT_THAT(Said(Go("/shut/")), Eq("OK"));
}

}  // namespace
}  // namespace lamina
