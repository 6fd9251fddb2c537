// Findings about whiteouts, each with its counter-example.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/check/layer_stack.h"

namespace lamina::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A directory /d in both layers, and in `app` the whiteout /d/x.
constexpr char kBoth[] = "layer base\nmkdir /d 0755\nlayer app\nmkdir /d 0755\nwhiteout /d/x\n";

TEST(DeadWhiteout, HidesNothing) {
  const LayerStack stack(kBoth, {"app", "base"});
  EXPECT_THAT(stack.Findings(), ElementsAre("L2 /d/x dead-whiteout"));
  EXPECT_EQ(stack.Sentences(),
            "whiteout of a name that no layer below has\n"
            "the kernel shows the same tree with the whiteout and without it");
}

TEST(DeadWhiteout, IsNoneWhenALayerBelowHasTheName) {
  EXPECT_THAT(LayerStack(std::string(kBoth) + "layer base\nput /d/x 0644 \"1\"\n", {"app", "base"})
                  .Findings(),
              IsEmpty());
}

TEST(DeadWhiteout, OfANameThatIsHiddenAlready) {
  const LayerStack stack(
      "layer base\nput /x 0644 \"1\"\nlayer mid\nwhiteout /x\nlayer top\nwhiteout /x\n",
      {"top", "mid", "base"});
  EXPECT_THAT(stack.Findings(), ElementsAre("L3 /x dead-whiteout"));
  EXPECT_THAT(stack.Sentences(), HasSubstr("that L2 whites out already"));
}

TEST(DeadWhiteout, InTheRootOfTheBottomLayer) {
  EXPECT_THAT(LayerStack("layer base\nwhiteout /x\n", {"base"}).Findings(),
              ElementsAre("L1 /x dead-whiteout"));
}

// The first layer below that has the name decides: /d/x of the base is hidden by the opaque mark.
TEST(DeadWhiteout, AnOpaqueDirectoryBetweenHidesTheName) {
  EXPECT_THAT(LayerStack(std::string(kBoth) +
                             "layer base\nput /d/x 0644 \"1\"\nlayer mid\nmkdir /d 0755\nopaque "
                             "/d\n",
                         {"app", "mid", "base"})
                  .Findings(),
              ElementsAre("L3 /d/x dead-whiteout"));
}

TEST(DeadWhiteout, IsNoneInADirectoryThatMovedByARedirect) {
  EXPECT_THAT(LayerStack("layer base\nmkdir /old 0755\nput /old/x 0644 \"1\"\nlayer app\n"
                         "whiteout /old\nmkdir /new 0755\nwhiteout /new/x\n"
                         "setxattr /new trusted.overlay.redirect \"old\"\n",
                         {"app", "base"})
                  .Findings(),
              IsEmpty());
}

TEST(DeadWhiteout, InADirectoryThatMovedByARedirect) {
  EXPECT_THAT(LayerStack("layer base\nmkdir /old 0755\nmkdir /p 0755\nlayer app\nwhiteout /old\n"
                         "mkdir /p 0755\nmkdir /p/new 0755\nwhiteout /p/new/x\n"
                         "setxattr /p/new trusted.overlay.redirect \"/old\"\n",
                         {"app", "base"})
                  .Findings(),
              ElementsAre("L2 /p/new/x dead-whiteout"));
}

TEST(WhiteoutInOpaque, HidesNothing) {
  const LayerStack stack(std::string(kBoth) + "opaque /d\nlayer base\nput /d/x 0644 \"1\"\n",
                         {"app", "base"});
  EXPECT_THAT(stack.Findings(), ElementsAre("L2 /d/x whiteout-in-opaque"));
  EXPECT_THAT(stack.Sentences(), HasSubstr("the kernel lists the name, as a character device"));
}

TEST(WhiteoutInPureDirectory, IsListed) {
  const LayerStack stack("layer base\nlayer app\nmkdir /d 0755\nwhiteout /d/x\n", {"app", "base"});
  EXPECT_THAT(stack.Findings(), ElementsAre("L2 /d/x whiteout-in-pure-directory"));
  EXPECT_EQ(stack.Check()[0].severity, Severity::kWarning);
  EXPECT_THAT(stack.Sentences(), HasSubstr("the kernel lists the name, as a character device"));
}

// A file cuts the merge.
TEST(WhiteoutInPureDirectory, BelowAFileBetween) {
  EXPECT_THAT(LayerStack("layer base\nmkdir /d 0755\nput /d/x 0644 \"1\"\nlayer mid\n"
                         "put /d 0644 \"file\"\nlayer app\nmkdir /d 0755\nwhiteout /d/x\n",
                         {"app", "mid", "base"})
                  .Findings(),
              ElementsAre("L3 /d/x whiteout-in-pure-directory"));
}

// OVL-126: the directory is merged from above.
TEST(WhiteoutInPureDirectory, IsNotListedOnceALayerAboveMerges) {
  const LayerStack stack("layer base\nmkdir /d 0755\nwhiteout /d/x\nlayer app\nmkdir /d 0755\n",
                         {"app", "base"});
  EXPECT_THAT(stack.Findings(), ElementsAre("L1 /d/x whiteout-in-pure-directory"));
  EXPECT_EQ(stack.Check()[0].severity, Severity::kNote);
  EXPECT_THAT(stack.Sentences(), HasSubstr("shows the same tree"));
}

TEST(WhiteoutInPureDirectory, IsNotListedOfACopiedUpDirectory) {
  const LayerStack stack(
      "layer base\nlayer upper\nmkdir /d 0755\nwhiteout /d/x\n"
      "setxattr /d trusted.overlay.origin \"\"\n",
      {"upper", "base"});
  EXPECT_THAT(stack.Sentences(), HasSubstr("shows the same tree"));
}

TEST(WhiteoutInPureDirectory, InADirectoryThatIsHidden) {
  const LayerStack stack("layer base\nmkdir /d 0755\nwhiteout /d/x\nlayer app\nwhiteout /d\n",
                         {"app", "base"});
  EXPECT_THAT(stack.Findings(), ElementsAre("L1 /d/x whiteout-in-pure-directory"));
  EXPECT_THAT(stack.Sentences(), HasSubstr("the layers above hide the directory"));
}

constexpr char kXattrWhiteout[] =
    "layer base\nmkdir /d 0755\nput /d/x 0644 \"1\"\nlayer app\nmkdir /d 0755\ncreate /d/x 0644\n"
    "setxattr /d/x trusted.overlay.whiteout \"y\"\n";

TEST(UnmarkedXattrWhiteout, IsListedButNotFound) {
  const LayerStack stack(kXattrWhiteout, {"app", "base"});
  EXPECT_THAT(stack.Findings(), ElementsAre("L2 /d/x unmarked-xattr-whiteout"));
  EXPECT_THAT(stack.Sentences(), HasSubstr("the kernel lists the name, but a lookup gives ENOENT"));
}

TEST(UnmarkedXattrWhiteout, IsNoneInAMarkedDirectory) {
  EXPECT_THAT(LayerStack(std::string(kXattrWhiteout) + "setxattr /d trusted.overlay.opaque \"x\"\n",
                         {"app", "base"})
                  .Findings(),
              IsEmpty());
}

TEST(UnmarkedXattrWhiteout, InAnOpaqueDirectoryThatALayerAboveMerges) {
  const LayerStack stack(
      "layer app\nmkdir /d 0755\nopaque /d\ncreate /d/x 0644\n"
      "setxattr /d/x trusted.overlay.whiteout \"y\"\nlayer top\nmkdir /d 0755\n",
      {"top", "app"});
  EXPECT_THAT(stack.Findings(), ElementsAre("L1 /d/x whiteout-in-opaque"));
  EXPECT_THAT(stack.Sentences(), HasSubstr("the kernel lists the name, but a lookup gives ENOENT"));
}

// Linux 6.18 looks for the mark in lower layers only.
TEST(UnmarkedXattrWhiteout, InTheUpperWhateverIsMarked) {
  const LayerStack stack(
      "layer base\nmkdir /d 0755\nput /d/x 0644 \"1\"\nlayer upper\nmkdir /d 0755\n"
      "create /d/x 0644\nsetxattr /d/x trusted.overlay.whiteout \"y\"\n"
      "setxattr /d trusted.overlay.opaque \"x\"\n",
      {"upper", "base"});
  EXPECT_THAT(stack.Findings(), ElementsAre("U /d/x unmarked-xattr-whiteout"));
}

TEST(UnmarkedXattrWhiteout, HidesALayerBelowAsACharacterDeviceDoes) {
  EXPECT_THAT(LayerStack(std::string(kXattrWhiteout) + "setxattr /d trusted.overlay.opaque \"x\"\n"
                                                       "layer top\nmkdir /d 0755\nwhiteout /d/x\n",
                         {"top", "app", "base"})
                  .Findings(),
              ElementsAre("L3 /d/x dead-whiteout"));
}

TEST(UnconvertedWhiteout, IsAnOrdinaryFile) {
  const LayerStack stack("layer base\nput /f 0644 \"1\"\nlayer app\ncreate /.wh.f 0644\n",
                         {"app", "base"});
  EXPECT_THAT(stack.Findings(), ElementsAre("L2 /.wh.f unconverted-whiteout"));
  EXPECT_EQ(stack.Sentences(),
            "whiteout of \"f\" as AUFS and layer tars have it\n"
            "the kernel takes it for an ordinary file and hides nothing");
}

TEST(UnconvertedWhiteout, KnowsTheNamesOfAufs) {
  EXPECT_THAT(
      LayerStack("layer app\nmkdir /d 0755\ncreate /d/.wh..wh..opq 0644\n", {"app"}).Sentences(),
      HasSubstr("mark of an opaque directory"));
  EXPECT_THAT(LayerStack("layer app\nmkdir /.wh..wh.plnk 0755\n", {"app"}).Sentences(),
              HasSubstr("private file of AUFS"));
}

TEST(UnconvertedWhiteout, IsNoOtherName) {
  EXPECT_THAT(LayerStack("layer app\ncreate /.who 0644\ncreate /a.wh.b 0644\n", {"app"}).Findings(),
              IsEmpty());
}

}  // namespace
}  // namespace lamina::sim
