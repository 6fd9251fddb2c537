// What the entries of a good layer tar become.
#include "lamina/image/layer_tar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/image/tar_builder.h"
#include "tests/image/tree_text.h"

namespace lamina {
namespace {

using test::PaxRecord;
using test::RawHeader;
using test::StatOf;
using test::TarBuilder;
using test::TreeDetail;
using testing::HasSubstr;

std::string Show(MemFs& fs) { return test::TreeText(fs, fs.root(), TreeDetail::kBrief); }

// The tree that `tar` makes, or the error.
std::string Read(const std::string& tar, const LayerTarOptions& options = {}) {
  MemFs fs;
  const absl::StatusOr<LayerTarReport> report = ReadLayerTar(tar, fs, fs.root(), options);
  return report.ok() ? Show(fs) : std::string(report.status().message());
}

TEST(LayerTar, ReadsEveryTypeOfNode) {
  TarBuilder tar;
  tar.Dir("a").File("a/f", "text").Symlink("a/l", "../x").Link("a/h", "a/f");
  tar.Node('3', "a/c", 5, 1).Node('4', "a/b", 8, 300).Node('6', "a/p", 0, 0);
  EXPECT_EQ(Read(tar.Done()),
            "d a\n"
            "b a/b 8:300\n"
            "c a/c 5:1\n"
            "f a/f \"text\"\n"
            "f a/h \"text\"\n"
            "l a/l -> ../x\n"
            "p a/p\n");
}

TEST(LayerTar, CountsWhatItRead) {
  TarBuilder tar;
  tar.Dir("a").File("a/f", "text").Symlink("a/l", "x").Link("a/h", "a/f").Node('6', "p", 0, 0);
  tar.File("a/.wh.x", "").File("a/.wh..wh..opq", "").File(".wh..wh.aufs", "").File("a/f", "y");
  MemFs fs;
  const absl::StatusOr<LayerTarReport> report = ReadLayerTar(tar.Done(), fs, fs.root());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->entries, 8U);
  EXPECT_EQ(report->files, 2U);
  EXPECT_EQ(report->directories, 1U);
  EXPECT_EQ(report->symlinks, 1U);
  EXPECT_EQ(report->hard_links, 1U);
  EXPECT_EQ(report->special, 1U);
  EXPECT_EQ(report->whiteouts, 1U);
  EXPECT_EQ(report->opaque_marks, 1U);
  EXPECT_EQ(report->skipped, 1U);
  EXPECT_EQ(report->replaced, 1U);
  EXPECT_EQ(report->content_bytes, 5U);
}

TEST(LayerTar, KeepsModeOwnerAndTime) {
  RawHeader header;
  header.name = "f";
  header.mode = 06751;
  header.uid = 1000;
  header.gid = 2000;
  header.mtime = "14524770400";  // octal for 1700000000
  header.body = "x";
  MemFs fs;
  ASSERT_TRUE(ReadLayerTar(TarBuilder().Raw(header).Done(), fs, fs.root()).ok());
  const Stat stat = StatOf(fs, fs.root(), "f");
  EXPECT_EQ(stat.mode, 06751);
  EXPECT_EQ(stat.uid, 1000U);
  EXPECT_EQ(stat.gid, 2000U);
  EXPECT_EQ(stat.mtime, InstantFromSeconds(1'700'000'000));
  EXPECT_EQ(stat.ctime, stat.mtime);
}

TEST(LayerTar, SecondNameOfAFileIsTheSameNode) {
  MemFs fs;
  const std::string tar = TarBuilder().File("a", "x").Link("d/b", "a").Done();
  ASSERT_TRUE(ReadLayerTar(tar, fs, fs.root()).ok());
  EXPECT_EQ(StatOf(fs, fs.root(), "a").node, StatOf(fs, fs.root(), "d/b").node);
  EXPECT_EQ(StatOf(fs, fs.root(), "a").nlink, 2U);
}

TEST(LayerTar, HardLinkToASymlinkIsTheSymlinkItself) {
  EXPECT_EQ(Read(TarBuilder().Symlink("a", "/etc").Link("b", "a").Done()),
            "l a -> /etc\nl b -> /etc\n");
}

TEST(LayerTar, HardLinkOntoItselfChangesNothing) {
  EXPECT_EQ(Read(TarBuilder().File("a", "x").Link("a", "a").Done()), "f a \"x\"\n");
}

TEST(LayerTar, ImpliedParentIsPlainAndOfRoot) {
  MemFs fs;
  LayerTarOptions options;
  options.implied_time = InstantFromSeconds(77);
  ASSERT_TRUE(ReadLayerTar(TarBuilder().File("a/b/f", "").Done(), fs, fs.root(), options).ok());
  const Stat stat = StatOf(fs, fs.root(), "a/b");
  EXPECT_EQ(stat.mode, 0755);
  EXPECT_EQ(stat.uid, 0U);
  EXPECT_EQ(stat.mtime, InstantFromSeconds(77));
}

TEST(LayerTar, LaterEntryDescribesAnImpliedParent) {
  RawHeader header;
  header.type = '5';
  header.name = "a/";
  header.mode = 01700;
  header.uid = 7;
  header.mtime = "144";  // 100
  MemFs fs;
  const std::string tar = TarBuilder().File("a/f", "").Raw(header).File("a/g", "").Done();
  ASSERT_TRUE(ReadLayerTar(tar, fs, fs.root()).ok());
  const Stat stat = StatOf(fs, fs.root(), "a");
  EXPECT_EQ(stat.mode, 01700);
  EXPECT_EQ(stat.uid, 7U);
  EXPECT_EQ(stat.mtime, InstantFromSeconds(100));
  EXPECT_EQ(Show(fs), "d a\nf a/f \"\"\nf a/g \"\"\n");
}

TEST(LayerTar, RootEntryDescribesTheTarget) {
  MemFs fs;
  ASSERT_TRUE(ReadLayerTar(TarBuilder().Dir("./", 0711).Done(), fs, fs.root()).ok());
  EXPECT_EQ(StatOf(fs, fs.root(), "").mode, 0711);
}

TEST(LayerTar, TargetKeepsItsTimesWithoutARootEntry) {
  MemFs fs;
  const Stat before = StatOf(fs, fs.root(), "");
  ASSERT_TRUE(ReadLayerTar(TarBuilder().File("f", "").Done(), fs, fs.root()).ok());
  EXPECT_EQ(StatOf(fs, fs.root(), "").mtime, before.mtime);
  EXPECT_EQ(StatOf(fs, fs.root(), "").ctime, before.ctime);
}

TEST(LayerTar, SetGroupIdAndDefaultAclOfAParentAreNotInherited) {
  RawHeader header;
  header.type = '5';
  header.name = "a";
  header.mode = 02775;
  header.gid = 50;
  const std::string acl(
      "\x02\0\0\0\x01\0\x07\0\xff\xff\xff\xff\x04\0\x05\0\xff\xff\xff\xff"
      "\x20\0\0\0\xff\xff\xff\xff",
      28);
  TarBuilder tar;
  tar.Pax({{"SCHILY.xattr.system.posix_acl_default", acl}}).Raw(header);
  tar.Dir("a/d").File("a/d/f", "");
  MemFs fs;
  ASSERT_TRUE(ReadLayerTar(tar.Done(), fs, fs.root()).ok());
  EXPECT_EQ(StatOf(fs, fs.root(), "a").mode, 02775);
  EXPECT_EQ(StatOf(fs, fs.root(), "a/d").mode, 0755);
  EXPECT_EQ(StatOf(fs, fs.root(), "a/d").gid, 0U);
  EXPECT_EQ(StatOf(fs, fs.root(), "a/d/f").mode, 0644);
  EXPECT_THAT(Show(fs), HasSubstr("d a [system.posix_acl_default="));
  EXPECT_THAT(Show(fs), HasSubstr("d a/d\n"));
}

TEST(LayerTar, ReadsLongNamesOfUstarGnuAndPax) {
  const std::string part(80, 'p');
  TarBuilder tar;
  tar.Long('L', part + "/" + part + "/gnu").File("short", "1");
  tar.Long('K', part + part).Symlink("link", "short");
  tar.Pax({{"path", part + "/" + part + "/pax"}, {"uid", "4294967294"}}).File("short", "2");
  EXPECT_EQ(Read(tar.Done()), "l link -> " + part + part + "\nd " + part + "\nd " + part + "/" +
                                  part + "\nf " + part + "/" + part + "/gnu \"1\"\nf " + part +
                                  "/" + part + "/pax \"2\"\n");
}

TEST(LayerTar, ReadsTheUstarPrefix) {
  TarBuilder tar;
  tar.File("f", "x");
  std::string bytes = tar.Done();
  bytes.replace(345, 5, "some/");
  bytes.replace(349, 4, "/dir");
  test::FixChecksum(bytes, 0);
  EXPECT_EQ(Read(bytes), "d some\nd some/dir\nf some/dir/f \"x\"\n");
}

TEST(LayerTar, ReadsBase256Numbers) {
  RawHeader header;
  header.name = "f";
  header.size = std::string("\x80\0\0\0\0\0\0\0\0\0\0\x03", 12);
  header.mtime = std::string("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 12);
  header.body = "abc";
  MemFs fs;
  ASSERT_TRUE(ReadLayerTar(TarBuilder().Raw(header).Done(), fs, fs.root()).ok());
  EXPECT_EQ(Show(fs), "f f \"abc\"\n");
  EXPECT_EQ(StatOf(fs, fs.root(), "f").mtime, InstantFromSeconds(-2));
}

TEST(LayerTar, ReadsTimesToTheNanosecondBefore1970AndFarAhead) {
  TarBuilder tar;
  tar.Pax({{"mtime", "-1.5"}, {"atime", "1.000000001"}, {"ctime", "8589934593"}}).File("a", "");
  tar.Pax({{"mtime", "99999999999999"}}).File("b", "");
  MemFs fs;
  ASSERT_TRUE(ReadLayerTar(tar.Done(), fs, fs.root()).ok());
  const Stat stat = StatOf(fs, fs.root(), "a");
  EXPECT_EQ(stat.mtime.virtual_ns, -1'500'000'000);
  EXPECT_EQ(stat.atime.virtual_ns, 1'000'000'001);
  EXPECT_EQ(stat.ctime, InstantFromSeconds(8'589'934'593));
  // Beyond what an Instant holds: the last moment it does.
  EXPECT_GT(StatOf(fs, fs.root(), "b").mtime, InstantFromSeconds(9'000'000'000));
}

TEST(LayerTar, GlobalRecordsHoldForAllThatFollow) {
  RawHeader global;
  global.type = 'g';
  global.name = "pax_global_header";
  global.body = PaxRecord("uid", "12") + PaxRecord("comment", "0123");
  TarBuilder tar;
  tar.File("a", "").Raw(global).File("b", "").Pax({{"uid", "13"}}).File("c", "").File("d", "");
  MemFs fs;
  const absl::StatusOr<LayerTarReport> report = ReadLayerTar(tar.Done(), fs, fs.root());
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->records_ignored, 0U);
  EXPECT_EQ(StatOf(fs, fs.root(), "a").uid, 0U);
  EXPECT_EQ(StatOf(fs, fs.root(), "b").uid, 12U);
  EXPECT_EQ(StatOf(fs, fs.root(), "c").uid, 13U);
  EXPECT_EQ(StatOf(fs, fs.root(), "d").uid, 12U);
}

TEST(LayerTar, ReadsXattrsOfBothSpellings) {
  TarBuilder tar;
  tar.Pax({{"SCHILY.xattr.user.raw", std::string("a\0=\n", 4)},
           {"LIBARCHIVE.xattr.user.%62ase", "eHl6"}});
  tar.File("f", "");
  EXPECT_EQ(Read(tar.Done()), "f f \"\" [user.base=xyz] [user.raw=a\\000=\\n]\n");
}

TEST(LayerTar, FileCapabilitySurvivesOwnerAndContent) {
  RawHeader header;
  header.name = "f";
  header.uid = 5;
  header.mode = 04755;
  header.body = "x";
  const std::string capability("\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
  TarBuilder tar;
  tar.Pax({{"SCHILY.xattr.security.capability", capability}}).Raw(header);
  MemFs fs;
  ASSERT_TRUE(ReadLayerTar(tar.Done(), fs, fs.root()).ok());
  EXPECT_THAT(Show(fs), HasSubstr("[security.capability="));
  EXPECT_EQ(StatOf(fs, fs.root(), "f").mode, 04755);
}

TEST(LayerTar, DropsAndCountsXattrsThatDoNotBelongHere) {
  TarBuilder tar;
  tar.Pax({{"SCHILY.xattr.trusted.overlay.redirect", "/etc"},
           {"SCHILY.xattr.trusted.mine", "1"},
           {"SCHILY.xattr.com.apple.quarantine", "2"}});
  tar.File("f", "");
  tar.Pax({{"SCHILY.xattr.user.a", "no user xattr on a symlink"}}).Symlink("l", "x");
  MemFs fs;
  const absl::StatusOr<LayerTarReport> report = ReadLayerTar(tar.Done(), fs, fs.root());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->xattrs_dropped, 3U);
  EXPECT_EQ(Show(fs), "f f \"\" [trusted.mine=1]\nl l -> x\n");
}

TEST(LayerTar, CountsRecordsItDoesNotRead) {
  TarBuilder tar;
  tar.Pax({{"SCHILY.acl.access", "user::rwx"}, {"uname", "joe"}}).File("f", "");
  MemFs fs;
  const absl::StatusOr<LayerTarReport> report = ReadLayerTar(tar.Done(), fs, fs.root());
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->records_ignored, 1U);
}

TEST(LayerTar, NamesAreBytesNotText) {
  EXPECT_EQ(Read(TarBuilder().File("\xff\xfe \n", "").File("\xc3\xa9", "").Done()),
            "f \xc3\xa9 \"\"\nf \xff\xfe \n \"\"\n");
}

// ── Marks ──────────────────────────────────────────────────────────────────────────────────────

TEST(LayerTarMarks, WhiteoutBecomesADevice) {
  MemFs fs;
  ASSERT_TRUE(ReadLayerTar(TarBuilder().File("a/.wh.x", "").Done(), fs, fs.root()).ok());
  EXPECT_EQ(Show(fs), "d a\nc a/x 0:0\n");
  EXPECT_EQ(StatOf(fs, fs.root(), "a/x").mode, 0);
}

TEST(LayerTarMarks, WhiteoutOfAnyTypeButADirectoryCounts) {
  // AUFS hard-links its whiteouts to one file, and Docker packs them so.
  EXPECT_EQ(Read(TarBuilder().File(".wh.a", "").Link(".wh.b", ".wh.a").Done()),
            "c a 0:0\nc b 0:0\n");
}

constexpr char kOpaqueTree[] =
    "d a [trusted.overlay.opaque=y]\n"
    "f a/f \"\"\n"
    "f a/g \"\"\n";

TEST(LayerTarMarks, OpaqueMarkBeforeItsDirectory) {
  TarBuilder tar;
  tar.File("a/.wh..wh..opq", "").Dir("a").File("a/f", "").File("a/g", "");
  EXPECT_EQ(Read(tar.Done()), kOpaqueTree);
}

TEST(LayerTarMarks, OpaqueMarkAmidItsSiblings) {
  TarBuilder tar;
  tar.Dir("a").File("a/f", "").File("a/.wh..wh..opq", "").File("a/g", "");
  EXPECT_EQ(Read(tar.Done()), kOpaqueTree);
}

TEST(LayerTarMarks, OpaqueMarkAfterItsSiblings) {
  TarBuilder tar;
  tar.Dir("a").File("a/f", "").File("a/g", "").File("a/.wh..wh..opq", "");
  EXPECT_EQ(Read(tar.Done()), kOpaqueTree);
}

TEST(LayerTarMarks, OpaqueMarkOfTheRoot) {
  MemFs fs;
  ASSERT_TRUE(ReadLayerTar(TarBuilder().File(".wh..wh..opq", "").Done(), fs, fs.root()).ok());
  EXPECT_THAT(test::TreeText(fs, fs.root(), TreeDetail::kFull),
              HasSubstr("d . [trusted.overlay.opaque=y]"));
}

TEST(LayerTarMarks, UserFormUsesTheUserXattr) {
  LayerTarOptions options;
  options.whiteouts = WhiteoutForm::kOverlayUser;
  TarBuilder tar;
  tar.File("a/.wh..wh..opq", "").Pax({{"SCHILY.xattr.user.overlay.redirect", "/"}}).Dir("b");
  EXPECT_EQ(Read(tar.Done(), options), "d a [user.overlay.opaque=y]\nd b\n");
}

TEST(LayerTarMarks, AufsFormKeepsTheFiles) {
  LayerTarOptions options;
  options.whiteouts = WhiteoutForm::kAufs;
  TarBuilder tar;
  tar.File(".wh.x", "")
      .File("d/.wh..wh..opq", "")
      .File("d/y", "1")
      .File(".wh.z", "")
      .File("z", "2");
  EXPECT_EQ(Read(tar.Done(), options),
            "f .wh.x \"\"\nd d\nf d/.wh..wh..opq \"\"\nf d/y \"1\"\nf z \"2\"\n");
}

TEST(LayerTarMarks, WhiteoutAfterAFileOfTheSameTarLeavesIt) {
  EXPECT_EQ(Read(TarBuilder().File("x", "1").File(".wh.x", "").Done()), "f x \"1\"\n");
}

TEST(LayerTarMarks, WhiteoutBeforeAFileOfTheSameTarGivesWay) {
  EXPECT_EQ(Read(TarBuilder().File(".wh.x", "").File("x", "1").Done()), "f x \"1\"\n");
}

TEST(LayerTarMarks, WhiteoutAfterADirectoryOfTheSameTarMakesItOpaque) {
  EXPECT_EQ(Read(TarBuilder().File("x/f", "1").File(".wh.x", "").Done()),
            "d x [trusted.overlay.opaque=y]\nf x/f \"1\"\n");
}

TEST(LayerTarMarks, WhiteoutBeforeADirectoryOfTheSameTarMakesItOpaque) {
  EXPECT_EQ(Read(TarBuilder().File(".wh.x", "").File("x/f", "1").Done()),
            "d x [trusted.overlay.opaque=y]\nf x/f \"1\"\n");
}

TEST(LayerTarMarks, PrivateFilesOfAufsAreSkipped) {
  TarBuilder tar;
  tar.File(".wh..wh.aufs", "").Dir(".wh..wh.plnk").File(".wh..wh.plnk/1.2", "x").File("f", "");
  EXPECT_EQ(Read(tar.Done()), "f f \"\"\n");
}

// ── One name, several entries ──────────────────────────────────────────────────────────────────

TEST(LayerTarDuplicates, LastFileWins) {
  EXPECT_EQ(Read(TarBuilder().File("f", "1").File("f", "22").Done()), "f f \"22\"\n");
}

TEST(LayerTarDuplicates, ReplacedNameLeavesTheOtherLinkAlone) {
  EXPECT_EQ(Read(TarBuilder().File("f", "1").Link("g", "f").File("f", "2").Done()),
            "f f \"2\"\nf g \"1\"\n");
}

TEST(LayerTarDuplicates, DirectoryOverDirectoryKeepsTheChildren) {
  MemFs fs;
  const std::string tar = TarBuilder().Dir("d", 0755).File("d/f", "").Dir("d", 0700).Done();
  ASSERT_TRUE(ReadLayerTar(tar, fs, fs.root()).ok());
  EXPECT_EQ(Show(fs), "d d\nf d/f \"\"\n");
  EXPECT_EQ(StatOf(fs, fs.root(), "d").mode, 0700);
}

TEST(LayerTarDuplicates, FileOverDirectoryTakesAllBelowAway) {
  TarBuilder tar;
  tar.File("d/a/b/c", "").File("d/a/x", "").Dir("d/e").File("d", "now a file");
  EXPECT_EQ(Read(tar.Done()), "f d \"now a file\"\n");
}

TEST(LayerTarDuplicates, DirectoryOverFileAndOverSymlink) {
  TarBuilder tar;
  tar.File("d", "").Dir("d").File("d/f", "").Symlink("e", "/").Dir("e").File("e/f", "");
  EXPECT_EQ(Read(tar.Done()), "d d\nf d/f \"\"\nd e\nf e/f \"\"\n");
}

TEST(LayerTarDuplicates, SymlinkOverFileAndOverDirectory) {
  TarBuilder tar;
  tar.File("a", "").Symlink("a", "x").File("b/f", "").Symlink("b", "y");
  EXPECT_EQ(Read(tar.Done()), "l a -> x\nl b -> y\n");
}

TEST(LayerTarDuplicates, SecondTarGoesOverTheFirst) {
  MemFs fs;
  ASSERT_TRUE(ReadLayerTar(TarBuilder().Dir("d", 0700).Done(), fs, fs.root()).ok());
  ASSERT_TRUE(ReadLayerTar(TarBuilder().File("d/f", "").Done(), fs, fs.root()).ok());
  EXPECT_EQ(Show(fs), "d d\nf d/f \"\"\n");
  EXPECT_EQ(StatOf(fs, fs.root(), "d").mode, 0700);
}

}  // namespace
}  // namespace lamina
