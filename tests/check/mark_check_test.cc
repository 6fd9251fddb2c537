// Findings about marks: opaque, redirect, metacopy, origin; each with its counter-example.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/check/layer_stack.h"

namespace lamina::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(OpaqueRoot, IsIgnored) {
  const LayerStack stack("layer base\nlayer app\nopaque /\n", {"app", "base"});
  EXPECT_THAT(stack.Findings(), ElementsAre("L2 / opaque-root"));
  EXPECT_THAT(stack.Sentences(), HasSubstr("the kernel ignores it"));
}

TEST(OpaqueRoot, IsNoneAtTheBottom) {
  EXPECT_THAT(LayerStack("layer base\nopaque /\nlayer app\n", {"app", "base"}).Findings(),
              IsEmpty());
}

TEST(UnknownOpaqueValue, IsIgnored) {
  const LayerStack stack("layer app\nmkdir /d 0755\nsetxattr /d trusted.overlay.opaque \"yes\"\n",
                         {"app"});
  EXPECT_THAT(stack.Findings(), ElementsAre("L1 /d unknown-opaque-value"));
  EXPECT_THAT(stack.Sentences(), HasSubstr("trusted.overlay.opaque=\"yes\""));
}

TEST(UnknownOpaqueValue, IsNoneOfTheTwoKnownOnes) {
  EXPECT_THAT(LayerStack("layer app\nmkdir /x 0755\nmkdir /y 0755\nopaque /y\n"
                         "setxattr /x trusted.overlay.opaque \"x\"\n",
                         {"app"})
                  .Findings(),
              IsEmpty());
}

TEST(IgnoredMark, OpaqueOnAFile) {
  const LayerStack stack("layer app\nput /f 0644 \"1\"\nsetxattr /f trusted.overlay.opaque \"y\"\n",
                         {"app"});
  EXPECT_THAT(stack.Findings(), ElementsAre("L1 /f ignored-mark"));
  EXPECT_THAT(stack.Sentences(),
              HasSubstr("trusted.overlay.opaque on a regular file of 1 bytes; it is meant for "
                        "directories"));
}

TEST(IgnoredMark, WhiteoutOnAFileThatIsNotEmpty) {
  EXPECT_THAT(
      LayerStack("layer app\nput /f 0644 \"1\"\nsetxattr /f trusted.overlay.whiteout \"y\"\n",
                 {"app"})
          .Findings(),
      ElementsAre("L1 /f ignored-mark"));
}

TEST(IgnoredMark, MetacopyAndWhiteoutOnADirectory) {
  EXPECT_THAT(LayerStack("layer app\nmkdir /d 0755\nsetxattr /d trusted.overlay.metacopy \"\"\n"
                         "setxattr /d trusted.overlay.whiteout \"\"\n",
                         {"app"})
                  .Findings(),
              ElementsAre("L1 /d ignored-mark", "L1 /d ignored-mark"));
}

TEST(IgnoredMark, MetacopyOnAFifo) {
  EXPECT_THAT(
      LayerStack("layer app\nfifo /p 0644\nsetxattr /p trusted.overlay.metacopy \"\"\n", {"app"})
          .Findings(),
      ElementsAre("L1 /p ignored-mark"));
}

TEST(IgnoredMark, IsNoneOfAnotherNamespace) {
  EXPECT_THAT(
      LayerStack("layer app\nput /f 0644 \"1\"\nsetxattr /f user.overlay.opaque \"y\"\n", {"app"})
          .Findings(),
      IsEmpty());
}

TEST(IgnoredMark, OfTheUserNamespaceWithUserxattr) {
  LayerStack stack("layer app\nput /f 0644 \"1\"\nsetxattr /f user.overlay.opaque \"y\"\n",
                   {"app"});
  stack.stack.options.userxattr = true;
  EXPECT_THAT(stack.Findings(), ElementsAre("L1 /f ignored-mark"));
}

// ── Redirects ────────────────────────────────────────────────────────────────────────────────────

// The base holds /old and /file; the layer above a directory /new with a redirect.
std::string Redirect(const std::string& value) {
  return "layer base\nmkdir /old 0755\nput /old/f 0644 \"1\"\nput /file 0644 \"1\"\n"
         "layer app\nmkdir /new 0755\nwhiteout /old\nsetxattr /new trusted.overlay.redirect \"" +
         value + "\"\n";
}

TEST(MalformedRedirect, FailsEveryLookup) {
  EXPECT_THAT(LayerStack(Redirect(""), {"app", "base"}).Findings(),
              ElementsAre("L2 /new malformed-redirect"));
  EXPECT_THAT(LayerStack(Redirect("a/b"), {"app", "base"}).Sentences(),
              HasSubstr("redirect to \"a/b\", which is relative and has a slash\n"
                        "the kernel fails every lookup of the name with EINVAL"));
  EXPECT_THAT(LayerStack(Redirect("//old"), {"app", "base"}).Findings(),
              ElementsAre("L2 /new malformed-redirect"));
  EXPECT_THAT(LayerStack(Redirect("/old/"), {"app", "base"}).Findings(),
              ElementsAre("L2 /new malformed-redirect"));
}

TEST(MalformedRedirect, IsNotReadAtTheBottom) {
  const LayerStack stack(
      "layer base\nmkdir /d 0755\nsetxattr /d trusted.overlay.redirect \"a/b\"\n", {"base"});
  EXPECT_EQ(stack.Check()[0].severity, Severity::kNote);
  EXPECT_THAT(stack.Sentences(), HasSubstr("the kernel does not read it"));
}

TEST(DanglingRedirect, LeadsNowhere) {
  const LayerStack stack(Redirect("/missing"), {"app", "base"});
  EXPECT_THAT(stack.Findings(), ElementsAre("L2 /new dangling-redirect"));
  EXPECT_THAT(stack.Sentences(),
              HasSubstr("redirect to \"/missing\", but no layer below has that"));
}

TEST(DanglingRedirect, LeadsToAFile) {
  EXPECT_THAT(LayerStack(Redirect("file"), {"app", "base"}).Sentences(),
              HasSubstr("but that is a regular file in L1"));
}

TEST(DanglingRedirect, LeadsToAWhiteout) {
  EXPECT_THAT(LayerStack("layer base\nmkdir /old 0755\nlayer mid\nwhiteout /old\nlayer app\n"
                         "mkdir /new 0755\nsetxattr /new trusted.overlay.redirect \"old\"\n",
                         {"app", "mid", "base"})
                  .Sentences(),
              HasSubstr("but L2 has a whiteout there"));
}

TEST(DanglingRedirect, IsNoneWhenADirectoryIsThere) {
  EXPECT_THAT(LayerStack(Redirect("old"), {"app", "base"}).Findings(), IsEmpty());
  EXPECT_THAT(LayerStack(Redirect("/old"), {"app", "base"}).Findings(), IsEmpty());
}

// Two moves, a layer each: /old to /mid, and that to /new.
TEST(DanglingRedirect, IsNoneThroughTheRedirectOfALayerBetween) {
  EXPECT_THAT(LayerStack("layer base\nmkdir /old 0755\nlayer between\nwhiteout /old\n"
                         "mkdir /mid 0755\nsetxattr /mid trusted.overlay.redirect \"/old\"\n"
                         "layer app\nwhiteout /mid\nmkdir /new 0755\n"
                         "setxattr /new trusted.overlay.redirect \"mid\"\n",
                         {"app", "between", "base"})
                  .Findings(),
              IsEmpty());
}

TEST(RedirectRefused, WithNofollow) {
  LayerStack stack(Redirect("old"), {"app", "base"});
  stack.stack.options.redirect_dir = RedirectDir::kNoFollow;
  EXPECT_THAT(stack.Findings(), ElementsAre("L2 /new redirect-refused"));
  EXPECT_THAT(stack.Sentences(), HasSubstr("refuses every access by the name with EPERM"));
  stack.stack.options.redirect_dir = RedirectDir::kFollow;
  EXPECT_THAT(stack.Findings(), IsEmpty());
}

TEST(RedirectRefused, WithUserxattr) {
  LayerStack stack(
      "layer base\nmkdir /old 0755\nlayer app\nmkdir /new 0755\nwhiteout /old\n"
      "setxattr /new user.overlay.redirect \"old\"\n",
      {"app", "base"});
  stack.stack.options.userxattr = true;
  EXPECT_THAT(stack.Findings(), ElementsAre("L2 /new redirect-refused"));
}

TEST(SharedRedirect, BesideTheDirectoryItself) {
  const LayerStack stack(
      "layer base\nmkdir /old 0755\nlayer app\nmkdir /new 0755\n"
      "setxattr /new trusted.overlay.redirect \"old\"\n",
      {"app", "base"});
  EXPECT_THAT(stack.Findings(), ElementsAre("L2 /new shared-redirect"));
  EXPECT_THAT(stack.Sentences(), HasSubstr("and /old shows the same lower directory\n"
                                           "the kernel shows what the lower directory holds"));
}

TEST(SharedRedirect, OfTwoDirectoriesOfTheUpper) {
  const LayerStack stack(
      "layer base\nmkdir /old 0755\nlayer upper\nwhiteout /old\nmkdir /a 0755\n"
      "mkdir /b 0755\nsetxattr /a trusted.overlay.redirect \"old\"\n"
      "setxattr /b trusted.overlay.redirect \"/old\"\n",
      {"upper", "base"});
  EXPECT_THAT(stack.Findings(), ElementsAre("U /b shared-redirect"));
  EXPECT_THAT(stack.Sentences(), HasSubstr("and /a shows the same lower directory\n"));
  EXPECT_THAT(stack.Sentences(), HasSubstr("looked up second fails with ESTALE"));
}

// ── Metacopy ─────────────────────────────────────────────────────────────────────────────────────

constexpr char kMetacopy[] =
    "layer base\nput /f 0644 \"low\"\nlayer app\ncreate /f 0644\ntruncate /f 3\n"
    "setxattr /f trusted.overlay.metacopy \"\"\n";

TEST(MetacopyRefused, WithoutTheOption) {
  LayerStack stack(kMetacopy, {"app", "base"});
  EXPECT_THAT(stack.Findings(), ElementsAre("L2 /f metacopy-refused"));
  EXPECT_THAT(stack.Sentences(), HasSubstr("refuses every access by the name with EPERM"));
  stack.stack.options.metacopy = Toggle::kOn;
  EXPECT_THAT(stack.Findings(), IsEmpty());
}

TEST(MetacopyWithoutData, FailsEveryLookup) {
  LayerStack stack(std::string(kMetacopy) + "layer base\nunlink /f\n", {"app", "base"});
  EXPECT_THAT(stack.Findings(), ElementsAre("L2 /f metacopy-without-data"));
  EXPECT_THAT(stack.Sentences(), HasSubstr("EIO (EPERM while metacopy=off)"));
  stack.stack.options.metacopy = Toggle::kOn;
  EXPECT_THAT(stack.Sentences(), ::testing::EndsWith("EIO"));
}

TEST(MetacopyWithoutData, WhenTheFileBelowIsOne) {
  LayerStack stack(
      "layer base\ncreate /f 0644\nsetxattr /f trusted.overlay.metacopy \"\"\n"
      "layer app\ncreate /f 0644\nsetxattr /f trusted.overlay.metacopy \"\"\n",
      {"app", "base"});
  stack.stack.options.metacopy = Toggle::kOn;
  EXPECT_THAT(stack.Findings(),
              ElementsAre("L2 /f metacopy-without-data", "L1 /f metacopy-without-data"));
}

TEST(MetacopyWithoutData, WhenSomethingElseIsBelow) {
  LayerStack stack(std::string(kMetacopy) + "layer base\nunlink /f\nmkdir /f 0755\n",
                   {"app", "base"});
  stack.stack.options.metacopy = Toggle::kOn;
  EXPECT_THAT(stack.Findings(), ElementsAre("L2 /f metacopy-without-data"));
}

TEST(MetacopyWithoutData, IsNoneBehindARedirect) {
  LayerStack stack(
      "layer base\nmkdir /d 0755\nput /d/old 0644 \"low\"\nlayer app\nmkdir /d 0755\n"
      "create /g 0644\nsetxattr /g trusted.overlay.metacopy \"\"\n"
      "setxattr /g trusted.overlay.redirect \"/d/old\"\n",
      {"app", "base"});
  stack.stack.options.metacopy = Toggle::kOn;
  EXPECT_THAT(stack.Findings(), IsEmpty());
}

constexpr char kDataOnly[] =
    "layer data\nput /blob 0644 \"body\"\nlayer base\ncreate /f 0644\ntruncate /f 4\n"
    "setxattr /f trusted.overlay.metacopy \"\"\n"
    "setxattr /f trusted.overlay.redirect \"/blob\"\n";

// OVL-093: a data-only layer needs no metacopy=on.
TEST(MetacopyWithoutData, IsNoneInADataOnlyLayer) {
  EXPECT_THAT(LayerStack(kDataOnly, {"base", "data"}).Findings(), IsEmpty());
}

TEST(MetacopyWithoutData, NotEvenInADataOnlyLayer) {
  const LayerStack stack(std::string(kDataOnly) + "layer data\nunlink /blob\n", {"base", "data"});
  EXPECT_THAT(stack.Findings(), ElementsAre("L1 /f metacopy-without-data"));
  EXPECT_THAT(stack.Sentences(), ::testing::EndsWith("fails every read of it with ENOENT"));
}

TEST(MetacopyWithoutData, AnUpperFileDoesNotReachDataOnlyLayers) {
  EXPECT_THAT(LayerStack("layer data\nput /blob 0644 \"body\"\nlayer base\nlayer upper\n"
                         "create /f 0644\nsetxattr /f trusted.overlay.metacopy \"\"\n"
                         "setxattr /f trusted.overlay.redirect \"/blob\"\n",
                         {"upper", "base", "data"})
                  .Findings(),
              ElementsAre("U /f metacopy-without-data"));
}

// OVL-090: the redirect that is left when the data was copied up.
TEST(MetacopyWithoutData, ARedirectAloneIsFine) {
  EXPECT_THAT(LayerStack("layer base\nlayer app\nput /f 0644 \"1\"\n"
                         "setxattr /f trusted.overlay.redirect \"a//b\"\n",
                         {"app", "base"})
                  .Findings(),
              IsEmpty());
}

// ── Origin ───────────────────────────────────────────────────────────────────────────────────────

constexpr char kCopiedUp[] =
    "layer base\nput /f 0644 \"1\"\nmkdir /d 0755\nlayer upper\nput /f 0644 \"2\"\nmkdir /d 0755\n";

TEST(LostOrigin, OfAnObjectThatIsGone) {
  const LayerStack stack(kCopiedUp, {"upper", "base"});
  stack.Mark(stack.Find("upper", "/f"), "origin", stack.Handle("base", "/f"));
  EXPECT_THAT(stack.Findings(), IsEmpty());
  stack.Remove("base", "f", FileType::kRegular);
  EXPECT_THAT(stack.Findings(), ElementsAre("U /f lost-origin"));
  EXPECT_THAT(stack.Sentences(),
              HasSubstr("from an object that is gone\n"
                        "the kernel shows the inode number of the upper object"));
}

TEST(LostOrigin, OfAnotherType) {
  const LayerStack stack(kCopiedUp, {"upper", "base"});
  stack.Mark(stack.Find("upper", "/d"), "origin", stack.Handle("base", "/f"));
  EXPECT_THAT(stack.Sentences(), HasSubstr("its origin mark names a regular file, but it is a "
                                           "directory\nthe kernel merges directories by name"));
}

TEST(LostOrigin, OfAFileSystemThatNoLayerIsOn) {
  const LayerStack stack(kCopiedUp, {"upper", "base"});
  stack.Mark(stack.Find("upper", "/f"), "origin", HandleOf(0x7777777777, NodeId{1}));
  EXPECT_THAT(stack.Sentences(), HasSubstr("a file system that no layer below is on"));
}

TEST(LostOrigin, IsNoneWithoutOrOfAnotherMaker) {
  const LayerStack stack(kCopiedUp, {"upper", "base"});
  stack.Mark(stack.Find("upper", "/d"), "origin", "");  // known to be copied up, not from where
  std::string foreign = HandleOf(1, NodeId{1}) + "12345678";
  foreign[2] = static_cast<char>(foreign.size());
  stack.Mark(stack.Find("upper", "/f"), "origin", foreign);
  EXPECT_THAT(stack.Findings(), IsEmpty());
}

TEST(LostOrigin, IsNotReadOfLowerLayers) {
  const LayerStack stack("layer base\nlayer app\nput /f 0644 \"2\"\n", {"app", "base"});
  stack.Mark(stack.Find("app", "/f"), "origin", HandleOf(0x7777777777, NodeId{1}));
  EXPECT_THAT(stack.Findings(), IsEmpty());
}

TEST(ForeignRoot, OfAnotherLowerRoot) {
  const LayerStack stack(std::string(kCopiedUp) + "layer other\n", {"upper", "other", "base"});
  stack.Mark(stack.Find("upper", ""), "origin", stack.Handle("base", ""));
  EXPECT_THAT(stack.Findings(), ElementsAre("U / foreign-root"));
  EXPECT_THAT(stack.Sentences(), HasSubstr("refuses to mount it with index=on (ESTALE)"));
}

TEST(ForeignRoot, IsNoneOfItsOwn) {
  const LayerStack stack(kCopiedUp, {"upper", "base"});
  stack.Mark(stack.Find("upper", ""), "origin", stack.Handle("base", ""));
  EXPECT_THAT(stack.Findings(), IsEmpty());
}

}  // namespace
}  // namespace lamina::sim
