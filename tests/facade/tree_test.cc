#include "lamina/testing/tree.h"

#include "lamina/testing/matchers.h"

namespace lamina::testing {
namespace {

// What is wrong with a drawing; it shows at the mount.
std::string Complaint(std::string_view drawing) {
  const absl::StatusOr<FsPtr> fs = Stack().Push(Tree(drawing).Rename("drawn")).Mount();
  return fs.ok() ? "fine" : std::string(fs.status().message());
}

TEST(Tree, DrawsEveryKindOfEntry) {
  FsPtr fs = Overlay({.lower = {Tree(R"(
      /etc/           0750 1:2
        hosts         "a\n\x00\"b\"" 0600 user.k="v w"   # a comment
        "odd name"    "# no comment"
        "odd dir"/
          x           ""
        link          -> hosts
        spaced        -> "a b"
        again         hardlink /etc/hosts
        pipe          fifo
        big           size 5000 seed 7
      /usr/bin/sh     "#!" 4755
  )")}});
  EXPECT_THAT(*fs, HasMode("/etc", 0750));
  EXPECT_EQ(fs->Lstat("/etc")->gid, 2u);
  EXPECT_THAT(*fs, HasFile("/etc/hosts", std::string("a\n\0\"b\"", 6)));
  EXPECT_THAT(fs->Getxattr("/etc/hosts", "user.k"), IsOkAndHolds("v w"));
  EXPECT_THAT(*fs, HasFile("/etc/odd name", "# no comment"));
  EXPECT_THAT(*fs, HasFile("/etc/odd dir/x", ""));
  EXPECT_THAT(*fs, HasSymlink("/etc/link", "hosts"));
  EXPECT_THAT(*fs, HasSymlink("/etc/spaced", "a b"));
  EXPECT_THAT(*fs, SameInode("/etc/hosts", "/etc/again"));
  EXPECT_EQ(fs->Lstat("/etc/pipe")->type, FileType::kFifo);
  EXPECT_THAT(*fs, HasFile("/etc/big", PatternBytes(5000, Seed{7})));
  EXPECT_THAT(*fs, HasMode("/usr/bin/sh", 04755));
  EXPECT_THAT(*fs, HasMode("/usr/bin", 0755));
}

TEST(Tree, DeeperLinesStandInTheDirectoryAbove) {
  FsPtr fs = Overlay({.lower = {Tree(R"(
      /a/
        b/
          c   "1"
        d     "2"
      e       "3"
  )")}});
  EXPECT_THAT(*fs, HasFile("/a/b/c", "1"));
  EXPECT_THAT(*fs, HasFile("/a/d", "2"));
  EXPECT_THAT(*fs, HasFile("/e", "3"));
}

TEST(Tree, TheColumnOfALineAfterTheQuoteSaysNothing) {
  FsPtr fs = Overlay({.lower = {Tree(R"(a  "1"
                                        b  "2")")}});
  EXPECT_THAT(*fs, HasFile("/b", "2"));
}

TEST(Tree, MistakesNameTheLine) {
  EXPECT_EQ(Complaint("\n/a"),
            "drawing, line 2: a file needs its content in quotes (a directory "
            "ends in /)");
  EXPECT_EQ(Complaint("/a \"x"),
            "drawing, line 1: a quote that is not closed, or an unknown escape");
  EXPECT_EQ(Complaint("/a \"\\q\""),
            "drawing, line 1: a quote that is not closed, or an unknown escape");
  EXPECT_EQ(Complaint("/a x\"y\""), "drawing, line 1: a quote inside a word");
  EXPECT_EQ(Complaint("/a file"), "drawing, line 1: unknown word \"file\"");
  EXPECT_EQ(Complaint("/a \"x\" \"y\""), "drawing, line 1: unknown word \"y\"");
  EXPECT_EQ(Complaint("/a \"x\" opaque"), "drawing, line 1: only a directory can be opaque");
  EXPECT_EQ(Complaint("\n/a \"x\"\n  b \"y\""), "drawing, line 3: /a is no directory");
  EXPECT_EQ(Complaint("/a\t\"x\""), "drawing, line 1: a tab; indent with blanks");
  EXPECT_EQ(Complaint("/a ->"), "drawing, line 1: a symlink needs its target after ->");
  EXPECT_EQ(Complaint("/a size x"), "drawing, line 1: size needs a number of bytes");
  EXPECT_EQ(Complaint("/ 0700"), "drawing, line 1: the root takes no words");
  EXPECT_EQ(Complaint("/a/ 0700\n/a/ 0700"), "layer \"drawn\": Dir(\"/a\"): File exists [EEXIST]");
}

TEST(Overlay, NamesItsLayers) {
  EXPECT_THAT(Overlay({.lower = {Tree("")}})->LayerNames(),
              ::testing::ElementsAre("upper", "lower"));
  EXPECT_THAT(Overlay({.lower = {Tree(""), Tree("")}})->LayerNames(),
              ::testing::ElementsAre("upper", "lower1", "lower2"));
  EXPECT_THAT(Overlay({.upper = Tree("/a \"1\"")})->LayerNames(),
              ::testing::ElementsAre("upper", "lower"));
}

TEST(Overlay, TheFirstLowerIsTheTopmost) {
  FsPtr fs = Overlay({.lower = {Tree("/a \"top\""), Tree("/a \"bottom\"")}});
  EXPECT_THAT(*fs, HasFile("/a", "top"));
}

}  // namespace
}  // namespace lamina::testing
