// The option texts of a mount: what is in them, and where a page ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lamina/testing/matchers.h"
#include "vfs/driver/aufs/mount_text.h"

namespace lamina::internal {
namespace {

using lamina::testing::IsErrno;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::size_t kRoom = 4096 - 54;  // for the branches, with neither label nor dirperm1

AufsMountTexts TextsOf(const AufsMountRequest& request) {
  Result<AufsMountTexts> texts = MakeAufsMountTexts(request);
  EXPECT_TRUE(texts.ok());
  return *std::move(texts);
}

// A read-only branch whose text ":…=ro+wh" has so many bytes.
std::string BranchOf(std::size_t bytes) { return '/' + std::string(bytes - 8, 'x'); }

TEST(AufsMountText, NamesBranchesTopmostFirst) {
  const AufsMountTexts texts = TextsOf({.writable = "/w", .read_only = {"/b", "/a"}, .label = ""});
  EXPECT_EQ(texts.mount, "br:/w=rw:/b=ro+wh:/a=ro+wh,dio,xino=/dev/shm/aufs.xino");
  EXPECT_THAT(texts.remounts, IsEmpty());
}

TEST(AufsMountText, AsksForDirperm1WhereThereIsIt) {
  const AufsMountTexts texts =
      TextsOf({.writable = "/w", .read_only = {}, .label = "", .dirperm1 = true});
  EXPECT_EQ(texts.mount, "br:/w=rw,dio,xino=/dev/shm/aufs.xino,dirperm1");
}

TEST(AufsMountText, ALabelComesLast) {
  EXPECT_EQ(WithMountLabel("br:/w=rw,dio", "u:r:t:s0"), "br:/w=rw,dio,context=\"u:r:t:s0\"");
  EXPECT_EQ(WithMountLabel("br:/w=rw,dio", ""), "br:/w=rw,dio");
}

TEST(AufsMountText, ABranchThatJustFitsIsInTheMount) {
  const std::string last = BranchOf(kRoom - std::string("br:/w=rw").size());
  const AufsMountTexts texts = TextsOf({.writable = "/w", .read_only = {last}, .label = ""});
  EXPECT_EQ(texts.mount, "br:/w=rw:" + last + "=ro+wh,dio,xino=/dev/shm/aufs.xino");
  EXPECT_THAT(texts.remounts, IsEmpty());
  EXPECT_LE(texts.mount.size(), 4096);
}

TEST(AufsMountText, OneByteMoreIsAppendedByARemount) {
  const std::string last = BranchOf(kRoom - std::string("br:/w=rw").size() + 1);
  const AufsMountTexts texts = TextsOf({.writable = "/w", .read_only = {last}, .label = ""});
  EXPECT_EQ(texts.mount, "br:/w=rw,dio,xino=/dev/shm/aufs.xino");
  EXPECT_THAT(texts.remounts, ElementsAre("append:" + last + "=ro+wh,"));
}

TEST(AufsMountText, Dirperm1AndALabelTakeRoom) {
  const std::string last = BranchOf(kRoom - std::string("br:/w=rw").size() - 9 - 5);
  AufsMountRequest request{.writable = "/w", .read_only = {last}, .label = "12345"};
  request.dirperm1 = true;
  EXPECT_THAT(TextsOf(request).remounts, IsEmpty());
  request.label = "123456";
  EXPECT_EQ(TextsOf(request).remounts.size(), 1);
}

// A branch that does not fit ends the text, also when a later one would.
TEST(AufsMountText, KeepsTheOrder) {
  const std::string wide = BranchOf(3000);
  const AufsMountTexts texts =
      TextsOf({.writable = "/w", .read_only = {wide, wide + "2", "/a", "/b"}, .label = ""});
  EXPECT_EQ(texts.mount, "br:/w=rw:" + wide + "=ro+wh,dio,xino=/dev/shm/aufs.xino");
  EXPECT_THAT(texts.remounts,
              ElementsAre("append:" + wide + "2=ro+wh,append:/a=ro+wh,append:/b=ro+wh,"));
}

TEST(AufsMountText, RemountsFillTheirPageToo) {
  const std::string half = BranchOf(kRoom / 2 - 7);  // "append:…=ro+wh," is 7 bytes longer
  const AufsMountTexts texts = TextsOf(
      {.writable = "/w", .read_only = {BranchOf(kRoom - 8), half, half, half}, .label = ""});
  EXPECT_THAT(texts.remounts, ElementsAre("append:" + half + "=ro+wh,append:" + half + "=ro+wh,",
                                          "append:" + half + "=ro+wh,"));
}

TEST(AufsMountText, AnotherPageSizeIsAnotherLimit) {
  AufsMountRequest request{.writable = "/w", .read_only = {"/aa", "/bb", "/cc"}, .label = ""};
  request.page_bytes = 54 + 31;
  const AufsMountTexts texts = TextsOf(request);
  EXPECT_EQ(texts.mount, "br:/w=rw:/aa=ro+wh:/bb=ro+wh,dio,xino=/dev/shm/aufs.xino");
  EXPECT_THAT(texts.remounts, ElementsAre("append:/cc=ro+wh,"));
}

TEST(AufsMountText, ABranchThatFitsNowhereIsAnError) {
  EXPECT_THAT(MakeAufsMountTexts({.writable = BranchOf(kRoom + 2), .read_only = {}, .label = ""}),
              IsErrno(Errno::kNameTooLong));
  EXPECT_THAT(
      MakeAufsMountTexts({.writable = "/w", .read_only = {BranchOf(kRoom + 1)}, .label = ""}),
      IsErrno(Errno::kNameTooLong));
  EXPECT_THAT(
      MakeAufsMountTexts({.writable = "/w", .read_only = {}, .label = std::string(5000, 'l')}),
      IsErrno(Errno::kNameTooLong));
}

}  // namespace
}  // namespace lamina::internal
