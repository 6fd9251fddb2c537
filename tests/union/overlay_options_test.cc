#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lamina/union/overlay.h"

namespace lamina {
namespace {

using testing::ElementsAre;

TEST(OverlayOptions, LayersAreTakenApartAtColons) {
  Result<OverlayMountText> mount = ParseOverlayMountText("lowerdir=/a:/b,upperdir=/u,workdir=/w");
  ASSERT_TRUE(mount.ok());
  EXPECT_THAT(mount->lowers, ElementsAre("/a", "/b"));
  EXPECT_EQ(mount->upper, "/u");
  EXPECT_EQ(mount->work, "/w");
}

TEST(OverlayOptions, EscapedColonsAndCommasBelongToTheName) {
  Result<OverlayMountText> mount = ParseOverlayMountText("lowerdir=/a\\:b:/c\\,d");
  ASSERT_TRUE(mount.ok());
  EXPECT_THAT(mount->lowers, ElementsAre("/a:b", "/c,d"));
}

TEST(OverlayOptions, DoubleColonBeginsDataOnlyLayers) {
  Result<OverlayMountText> mount = ParseOverlayMountText("lowerdir=/a::/d1::/d2");
  ASSERT_TRUE(mount.ok());
  EXPECT_THAT(mount->lowers, ElementsAre("/a"));
  EXPECT_THAT(mount->data_only, ElementsAre("/d1", "/d2"));
}

struct Refused {
  std::string name;
  std::string text;
};
void PrintTo(const Refused& refused, std::ostream* out) { *out << refused.name; }

std::string RefusedName(const testing::TestParamInfo<Refused>& tested) { return tested.param.name; }

class OverlayRefusedOptions : public testing::TestWithParam<Refused> {};

TEST_P(OverlayRefusedOptions, GiveEinval) {
  Result<OverlayMountText> mount = ParseOverlayMountText(GetParam().text);
  ASSERT_FALSE(mount.ok());
  EXPECT_EQ(mount.error(), Errno::kInval);
}

INSTANTIATE_TEST_SUITE_P(
    Texts, OverlayRefusedOptions,
    testing::Values(Refused{"TrailingColon", "lowerdir=/a:"},
                    Refused{"LeadingColon", "lowerdir=:/a"},
                    Refused{"TripleColon", "lowerdir=/a:::/b"},
                    Refused{"SingleColonAfterData", "lowerdir=/a::/b:/c"},
                    Refused{"UnknownOption", "lowerdir=/a,bogus=1"},
                    Refused{"UnknownFlag", "lowerdir=/a,bogus"},
                    Refused{"UnknownValue", "lowerdir=/a,redirect_dir=maybe"},
                    Refused{"MetacopyWithoutRedirect", "metacopy=on,redirect_dir=off"},
                    Refused{"ExportWithMetacopy", "metacopy=on,nfs_export=on"},
                    Refused{"ExportWithoutIndex", "index=off,nfs_export=on"},
                    Refused{"UserXattrWithMetacopy", "userxattr,metacopy=on"},
                    Refused{"UserXattrWithRedirect", "userxattr,redirect_dir=on"},
                    Refused{"EmptyUpper", "upperdir="}),
    RefusedName);

TEST(OverlayOptions, MoreThan500LowersAreRefused) {
  std::string text = "lowerdir=/l0";
  for (int i = 1; i < 500; ++i) text += ":/l" + std::to_string(i);
  EXPECT_TRUE(ParseOverlayMountText(text).ok());
  EXPECT_FALSE(ParseOverlayMountText(text + ":/one").ok());
}

}  // namespace
}  // namespace lamina
