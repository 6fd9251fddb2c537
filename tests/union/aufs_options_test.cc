// Branch modes and options of AUFS, read and written (numbers AUFS-… are those of the reference's
// scenarios).
#include "gtest/gtest.h"
#include "lamina/union/aufs.h"
#include "tests/union/option_rows.h"

namespace lamina {
namespace {

using std::literals::operator""sv;

// ── Modes ────────────────────────────────────────────────────────────────────────────────────────

TEST(AufsMode, EachPermissionIsRead) {
  EXPECT_EQ(ParseAufsMode("rw").permission, AufsPermission::kReadWrite);
  EXPECT_EQ(ParseAufsMode("ro").permission, AufsPermission::kReadOnly);
  EXPECT_EQ(ParseAufsMode("rr").permission, AufsPermission::kReallyReadOnly);
}

TEST(AufsMode, EachAttributeSetsItsField) {
  EXPECT_TRUE(ParseAufsMode("ro+wh").whiteouts);
  EXPECT_TRUE(ParseAufsMode("rw+nolwh").plain_whiteouts);
  EXPECT_TRUE(ParseAufsMode("rr+fhsm").fhsm);
  EXPECT_EQ(ParseAufsMode("ro+coo_reg").on_open, AufsOnOpen::kCopyFiles);
  EXPECT_EQ(ParseAufsMode("ro+coo_all").on_open, AufsOnOpen::kCopyAll);
  EXPECT_EQ(ParseAufsMode("rw+moo").on_open, AufsOnOpen::kMove);
  EXPECT_EQ(ParseAufsMode("ro+icex").icex, kAufsIcexAll);
  EXPECT_EQ(ParseAufsMode("ro+icexsec").icex, kAufsIcexSecurity);
  EXPECT_EQ(ParseAufsMode("ro+icexsys").icex, kAufsIcexSystem);
  EXPECT_EQ(ParseAufsMode("ro+icextr").icex, kAufsIcexTrusted);
  EXPECT_EQ(ParseAufsMode("ro+icexusr").icex, kAufsIcexUser);
  EXPECT_EQ(ParseAufsMode("ro+icexoth").icex, kAufsIcexOther);
}

TEST(AufsMode, AWordAloneSetsNothingElse) {
  EXPECT_EQ(ParseAufsMode("rw"), AufsMode{.permission = AufsPermission::kReadWrite});
  EXPECT_EQ(ParseAufsMode(""), AufsMode());
}

class AufsModeText : public testing::TestWithParam<OptionRow> {};

TEST_P(AufsModeText, IsReadAndWritten) {
  EXPECT_EQ(FormatAufsMode(ParseAufsMode(GetParam().text)), GetParam().written);
  EXPECT_EQ(ParseAufsMode(GetParam().written), ParseAufsMode(GetParam().text));
}

constexpr OptionRow kModes[] = {
    {"rw", "rw"},
    {"ro", "ro"},
    {"rr", "rr"},
    {"", "ro"},
    {"zz", "ro"},  // an unknown permission
    {"RW", "ro"},
    {" rw", "ro"},
    {"rw=", "ro"},
    {"rw\0"sv, "ro"},
    {"zz+wh", "ro+wh"},
    {"rr+wh", "rr+wh"},
    {"rw+wh", "rw"},  // does not go with the permission
    {"ro+nolwh", "ro"},
    {"rr+nolwh", "rr"},
    {"ro+moo", "ro"},
    {"rr+moo", "rr"},
    {"ro+coo_reg+moo", "ro+coo_reg"},  // what is dropped replaces nothing
    {"rw+wh+fhsm", "rw+fhsm"},         // and ends nothing
    {"rw+unpin+fhsm", "rw+fhsm"},      // obsolete
    {"ro+wh+zz+fhsm", "ro+wh"},        // an unknown attribute ends the reading
    {"ro++wh", "ro"},
    {"ro+wh+", "ro+wh"},
    {"rw+moo+coo_reg+coo_all", "rw+coo_all"},
    {"rw+icexusr+icexsec", "rw+icexsec+icexusr"},
    {"ro+icexsec+icexsys+icextr+icexusr+icexoth", "ro+icex"},
    {"ro+icexsys+icex", "ro+icex"},
    {"rw+icex+fhsm+moo+nolwh", "rw+nolwh+moo+fhsm+icex"},
};
INSTANTIATE_TEST_SUITE_P(Texts, AufsModeText, testing::ValuesIn(kModes), OptionRowName<OptionRow>);

std::string RandomModeText(OptionDraw& draw) {
  static constexpr const char* kWords[] = {"rw", "ro", "rr", "zz", ""};
  static constexpr const char* kAttributes[] = {
      "wh",   "nolwh",   "unpin",   "coo_reg", "coo_all", "moo",    "fhsm",
      "icex", "icexsec", "icexsys", "icexusr", "icexoth", "icextr", "zz"};
  std::string text = draw.From(kWords);
  for (std::size_t more = draw.Below(8); more > 0; --more) {
    text += std::string("+") + draw.From(kAttributes);
  }
  return text;
}

// The first mode text that means something else once it was written again; "" when none does.
std::string FirstModeThatChanges(int seed) {
  OptionDraw draw(seed);
  for (int i = 0; i < 2000; ++i) {
    const std::string text = RandomModeText(draw);
    const AufsMode mode = ParseAufsMode(text);
    const std::string written = FormatAufsMode(mode);
    if (ParseAufsMode(written) != mode) return text + " -> " + written;
  }
  return "";
}

class AufsRandomOptions : public testing::TestWithParam<int> {};

TEST_P(AufsRandomOptions, ModesAreReadAsTheyWereWritten) {
  EXPECT_EQ(FirstModeThatChanges(GetParam()), "");
}

// ── Options ──────────────────────────────────────────────────────────────────────────────────────

// Nothing is the default.
AufsOptions Changed() {
  AufsOptions options;
  options.create = {AufsCreate::kTopDownMostFreeSpace, 7, 8};
  options.copy_up = AufsCopyUp::kBottomUp;
  options.udba = AufsUdba::kNotify;
  options.plink = false;
  options.xino = false;
  options.dirperm1 = true;
  options.shwh = true;
  options.sum = true;
  options.dio = true;
  options.dirren = true;
  options.opaque_always = true;
  options.warn_perm = false;
  options.verbose = true;
  options.trunc_xino = true;
  options.dirwh = 1;
  options.rdblk = 1024;
  options.rdhash = 2;
  options.rdcache_seconds = 1;
  options.max_branches = 511;
  options.quirks = {true, true, true};
  return options;
}

// `start` with the option set.
AufsOptions With(std::string_view option, AufsOptions start = {}) {
  EXPECT_TRUE(SetAufsOption(option, start).ok());
  return start;
}

TEST(AufsOptions, EachOptionSetsItsField) {
  EXPECT_EQ(With("create=pmfsrr:4k:7").create,
            (AufsCreatePolicy{AufsCreate::kParentMostFreeSpaceRoundRobin, 4096, 7}));
  EXPECT_EQ(With("cpup=bup").copy_up, AufsCopyUp::kBottomUpParent);
  EXPECT_EQ(With("udba=none").udba, AufsUdba::kNone);
  EXPECT_TRUE(With("diropq=a").opaque_always);
  EXPECT_EQ(With("dirwh=5").dirwh, 5U);
  EXPECT_EQ(With("rdblk=300").rdblk, 300U);
  EXPECT_EQ(With("rdhash=5").rdhash, 5U);
  EXPECT_EQ(With("rdcache=5").rdcache_seconds, 5U);
  EXPECT_EQ(With("x-lamina.max-branches=1023").max_branches, 1023U);
  EXPECT_TRUE(With("x-lamina.lowest-opaque-wins").quirks.lowest_opaque_wins);
  EXPECT_TRUE(With("x-lamina.override-only-writable").quirks.override_only_writable);
  EXPECT_TRUE(With("x-lamina.pmfsrr-as-mfsrr").quirks.pmfsrr_as_mfsrr);
}

TEST(AufsOptions, EachPolicyHasItsName) {
  EXPECT_EQ(With("create=tdp", Changed()).create.kind, AufsCreate::kTopDownParent);
  EXPECT_EQ(With("create=rr").create.kind, AufsCreate::kRoundRobin);
  EXPECT_EQ(With("create=mfs").create.kind, AufsCreate::kMostFreeSpace);
  EXPECT_EQ(With("create=mfsrr:1").create.kind, AufsCreate::kMostFreeSpaceRoundRobin);
  EXPECT_EQ(With("create=tdmfs:1").create.kind, AufsCreate::kTopDownMostFreeSpace);
  EXPECT_EQ(With("create=pmfs").create.kind, AufsCreate::kParentMostFreeSpace);
  EXPECT_EQ(With("create=pmfsrr:1").create.kind, AufsCreate::kParentMostFreeSpaceRoundRobin);
}

// A policy keeps nothing of the one before.
TEST(AufsOptions, APolicyBeginsWithItsDefaults) {
  EXPECT_EQ(With("create=mfs", Changed()).create, AufsCreatePolicy{AufsCreate::kMostFreeSpace});
  EXPECT_EQ(With("create=tdp", Changed()).create, AufsCreatePolicy());
}

struct Switch {
  std::string_view text;
  bool AufsOptions::*field;
};
void PrintTo(const Switch& tested, std::ostream* out) { *out << tested.text; }
std::string_view RowText(const Switch& tested) { return tested.text; }

class AufsSwitch : public testing::TestWithParam<Switch> {
 protected:
  static void ExpectOnlyItsFieldChanges(const AufsOptions& start) {
    AufsOptions want = start;
    want.*GetParam().field = true;
    EXPECT_EQ(With(GetParam().text, start), want);
    want.*GetParam().field = false;
    EXPECT_EQ(With("no" + std::string(GetParam().text), start), want);
  }
};

TEST_P(AufsSwitch, ChangesTheDefault) { ExpectOnlyItsFieldChanges(AufsOptions()); }
TEST_P(AufsSwitch, ChangesWhatWasSetBefore) { ExpectOnlyItsFieldChanges(Changed()); }

constexpr Switch kSwitches[] = {
    {"plink", &AufsOptions::plink},
    {"xino", &AufsOptions::xino},
    {"trunc_xino", &AufsOptions::trunc_xino},
    {"dirperm1", &AufsOptions::dirperm1},
    {"shwh", &AufsOptions::shwh},
    {"sum", &AufsOptions::sum},
    {"dio", &AufsOptions::dio},
    {"dirren", &AufsOptions::dirren},
    {"warn_perm", &AufsOptions::warn_perm},
    {"verbose", &AufsOptions::verbose},
};
INSTANTIATE_TEST_SUITE_P(Names, AufsSwitch, testing::ValuesIn(kSwitches), OptionRowName<Switch>);

TEST(AufsOptions, AFileForTheNumbersSwitchesThemOn) {
  EXPECT_TRUE(With("xino=/dev/shm/a=b:c", Changed()).xino);
}

class AufsOption : public testing::TestWithParam<OptionRow> {};

TEST_P(AufsOption, IsReadAndWritten) {
  EXPECT_EQ(FormatAufsOptions(With(GetParam().text)), GetParam().written);
}

constexpr OptionRow kOptions[] = {
    {"create=tdp", ""},
    {"create=top-down-parent", ""},
    {"create_policy=rr", "create=rr"},
    {"create=round-robin", "create=rr"},
    {"create=mfs", "create=mfs"},
    {"create=mfs:0", "create=mfs:0"},
    {"create=mfs:30", "create=mfs"},
    {"create=mfs:3600", "create=mfs:3600"},
    {"create=most-free-space:5", "create=mfs:5"},
    {"create=mfsrr:100", "create=mfsrr:100"},
    {"create=mfsrr:100:9", "create=mfsrr:100:9"},
    {"create=tdmfs:0", "create=tdmfs:0"},
    {"create=tdmfs:2k", "create=tdmfs:2048"},
    {"create=tdmfs:2K", "create=tdmfs:2048"},
    {"create=tdmfs:3m", "create=tdmfs:3145728"},
    {"create=tdmfs:3M:8", "create=tdmfs:3145728:8"},
    {"create=tdmfs:1g", "create=tdmfs:1073741824"},
    {"create=tdmfs:10G", "create=tdmfs:10737418240"},
    {"create=tdmfs:17179869183g", "create=tdmfs:18446744072635809792"},
    {"create=tdmfs:18446744073709551615", "create=tdmfs:18446744073709551615"},
    {"create=pmfs:7", "create=pmfs:7"},
    {"create=pmfsrr:4096:30", "create=pmfsrr:4096"},
    {"cpup=tdp", ""},
    {"cpup=top-down-parent", ""},
    {"copyup=bup", "cpup=bup"},
    {"copyup_policy=bottom-up-parent", "cpup=bup"},
    {"cpup=bu", "cpup=bu"},
    {"cpup=bottom-up", "cpup=bu"},
    {"udba=none", "udba=none"},
    {"udba=reval", ""},
    {"udba=notify", "udba=notify"},
    {"diropq=always", "diropq=always"},
    {"diropq=a", "diropq=always"},
    {"diropq=w", ""},
    {"diropq=whiteouted", ""},
    {"dirwh=0", "dirwh=0"},
    {"dirwh=0010", "dirwh=10"},
    {"dirwh=4294967295", "dirwh=4294967295"},
    {"rdblk=0", "rdblk=0"},
    {"rdblk=255", "rdblk=255"},
    {"rdhash=0", "rdhash=0"},
    {"rdcache=0", "rdcache=0"},
    {"rdcache=3600", "rdcache=3600"},
    {"x-lamina.max-branches=127", ""},
    {"x-lamina.max-branches=511", "x-lamina.max-branches=511"},
    {"x-lamina.max-branches=32767", "x-lamina.max-branches=32767"},
};
INSTANTIATE_TEST_SUITE_P(Texts, AufsOption, testing::ValuesIn(kOptions), OptionRowName<OptionRow>);

TEST(AufsOptions, DefIsTheDefault) {
  EXPECT_EQ(With("rdblk=def", Changed()).rdblk, 512U);
  EXPECT_EQ(With("rdhash=def", Changed()).rdhash, 32U);
  EXPECT_EQ(With("rdcache=def", Changed()).rdcache_seconds, 10U);
}

class AufsRefusedOption : public testing::TestWithParam<std::string_view> {};

TEST_P(AufsRefusedOption, GivesEinvalAndChangesNothing) {
  AufsOptions options = Changed();
  const Result<void> set = SetAufsOption(GetParam(), options);
  ASSERT_FALSE(set.ok());
  EXPECT_EQ(set.error(), Errno::kInval);
  EXPECT_EQ(options, Changed());
}

TEST_P(AufsRefusedOption, IsRefusedInAMountStringToo) {
  const Result<AufsText> text = ParseAufsText("br:/a,dio," + std::string(GetParam()));
  ASSERT_FALSE(text.ok());
  EXPECT_EQ(text.error(), Errno::kInval);
}

// AUFS-133 are the first two.
INSTANTIATE_TEST_SUITE_P(
    Policies, AufsRefusedOption,
    testing::Values("create=mfs:-1", "create=mfs:3601", "create=mfs:", "create=mfs:1:2",
                    "create=mfs:1k", "create=", "create=best", "create=MFS", "create=tdp:5",
                    "create=rr:", "create=mfsrr", "create=mfsrr:", "create=mfsrr::5",
                    "create=tdmfs:5:", "create=tdmfs:5:5:5", "create=pmfs:5:5", "create=pmfsrr:-1",
                    "create=pmfsrr:+1", "create=tdmfs:G", "create=tdmfs:1kk", "create=tdmfs:1T",
                    "create=tdmfs:1 ", "create=tdmfs:18446744073709551616",
                    "create=tdmfs:17179869184g", "cpup=rr", "copyup=", "cpup=tdp:1"),
    OptionRowName<std::string_view>);

INSTANTIATE_TEST_SUITE_P(
    Values, AufsRefusedOption,
    testing::Values("dirwh=", "dirwh=-1", "dirwh=+1", "dirwh= 1", "dirwh=1 ", "dirwh=0x10",
                    "dirwh=4294967296", "dirwh=99999999999999999999999999", "dirwh=def",
                    "rdblk=254", "rdblk=1", "rdblk=DEF", "rdhash=-1", "rdcache=3601",
                    "rdcache=def1", "udba=maybe", "udba=", "diropq=x",
                    "diropq=", "xino=", "x-lamina.max-branches=128", "x-lamina.max-branches=0127"),
    OptionRowName<std::string_view>);

INSTANTIATE_TEST_SUITE_P(Words, AufsRefusedOption,
                         testing::Values("bogus", "bogus=1", "=", ":", "DIO", "no", "nonoplink",
                                         "nox-lamina.lowest-opaque-wins", "plink=1",
                                         "noplink=", "create", "create:rr", "xino:/a", "dio\0"sv,
                                         "xino=/x\0y"sv, " dio"),
                         OptionRowName<std::string_view>);

TEST(AufsOptions, OneOptionIsNeitherEmptyNorTwo) {
  AufsOptions options;
  EXPECT_FALSE(SetAufsOption("", options).ok());
  EXPECT_FALSE(SetAufsOption("xino=/x,noplink", options).ok());
  EXPECT_EQ(options, AufsOptions());
}

TEST(AufsOptions, DefaultsAreWrittenAsNothing) { EXPECT_EQ(FormatAufsOptions({}), ""); }

TEST(AufsOptions, ShowInAFixedOrder) {
  EXPECT_EQ(FormatAufsOptions(Changed()),
            "create=tdmfs:7:8,cpup=bu,udba=notify,diropq=always,dirwh=1,rdblk=1024,rdhash=2,"
            "rdcache=1,x-lamina.max-branches=511,noplink,noxino,trunc_xino,dirperm1,shwh,sum,dio,"
            "dirren,nowarn_perm,verbose,x-lamina.lowest-opaque-wins,"
            "x-lamina.override-only-writable,x-lamina.pmfsrr-as-mfsrr");
}

AufsCreatePolicy RandomPolicy(OptionDraw& draw) {
  static constexpr AufsCreate kKinds[] = {AufsCreate::kTopDownParent,
                                          AufsCreate::kRoundRobin,
                                          AufsCreate::kMostFreeSpace,
                                          AufsCreate::kMostFreeSpaceRoundRobin,
                                          AufsCreate::kTopDownMostFreeSpace,
                                          AufsCreate::kParentMostFreeSpace,
                                          AufsCreate::kParentMostFreeSpaceRoundRobin};
  AufsCreatePolicy policy{.kind = draw.From(kKinds)};
  const bool takes_low = policy.kind == AufsCreate::kMostFreeSpaceRoundRobin ||
                         policy.kind == AufsCreate::kTopDownMostFreeSpace ||
                         policy.kind == AufsCreate::kParentMostFreeSpaceRoundRobin;
  const bool takes_seconds = takes_low || policy.kind == AufsCreate::kMostFreeSpace ||
                             policy.kind == AufsCreate::kParentMostFreeSpace;
  if (takes_low) policy.low_bytes = draw.Next() << draw.Below(34);
  if (takes_seconds && draw.Coin())
    policy.cache_seconds = static_cast<std::uint32_t>(draw.Below(3601));
  return policy;
}

AufsOptions RandomOptions(OptionDraw& draw) {
  static constexpr AufsCopyUp kCopyUps[] = {AufsCopyUp::kTopDownParent, AufsCopyUp::kBottomUpParent,
                                            AufsCopyUp::kBottomUp};
  static constexpr AufsUdba kUdbas[] = {AufsUdba::kNone, AufsUdba::kReval, AufsUdba::kNotify};
  static constexpr std::uint32_t kLimits[] = {127, 511, 1023, 32767};
  static constexpr std::uint32_t kNumbers[] = {0, 3, 32, 255, 512, 4294967295U};
  static constexpr std::uint32_t kBlocks[] = {0, 255, 512, 4294967295U};
  AufsOptions options;
  options.create = RandomPolicy(draw);
  options.copy_up = draw.From(kCopyUps);
  options.udba = draw.From(kUdbas);
  for (bool AufsOptions::*flag :
       {&AufsOptions::plink, &AufsOptions::xino, &AufsOptions::dirperm1, &AufsOptions::shwh,
        &AufsOptions::sum, &AufsOptions::dio, &AufsOptions::dirren, &AufsOptions::opaque_always,
        &AufsOptions::warn_perm, &AufsOptions::verbose, &AufsOptions::trunc_xino}) {
    options.*flag = draw.Coin();
  }
  options.dirwh = draw.From(kNumbers);
  options.rdblk = draw.From(kBlocks);
  options.rdhash = draw.From(kNumbers);
  options.rdcache_seconds = static_cast<std::uint32_t>(draw.Below(3601));
  options.max_branches = draw.From(kLimits);
  options.quirks = {draw.Coin(), draw.Coin(), draw.Coin()};
  return options;
}

// The first text from which other options are read than were written; "" when there is none.
std::string FirstOptionsThatChange(int seed) {
  OptionDraw draw(seed);
  for (int i = 0; i < 2000; ++i) {
    const AufsOptions options = RandomOptions(draw);
    const std::string text = FormatAufsOptions(options);
    const Result<AufsOptions> read = OptionsOf(text);
    if (!read.ok() || *read != options) return "changed: " + text;
    if (FormatAufsOptions(*read) != text) return "written in another way: " + text;
  }
  return "";
}

TEST_P(AufsRandomOptions, OptionsAreReadAsTheyWereWritten) {
  EXPECT_EQ(FirstOptionsThatChange(GetParam()), "");
}

INSTANTIATE_TEST_SUITE_P(Seed, AufsRandomOptions, testing::Range(1, 5));

}  // namespace
}  // namespace lamina
