// What a hostile or broken layer tar must not do: every one is refused with the byte offset, and
// the target stays what it was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_format.h"
#include "lamina/image/layer_tar.h"
#include "tests/image/tar_builder.h"
#include "tests/image/tar_outcome.h"
#include "tests/image/tree_text.h"

namespace lamina {
namespace {

using test::Outcome;
using test::RawHeader;
using test::TarBuilder;
using test::TreeDetail;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

RawHeader Sized(std::string size) {
  RawHeader header;
  header.name = "f";
  header.size = std::move(size);
  return header;
}

// ── Names ──────────────────────────────────────────────────────────────────────────────────────

TEST(LayerTarHostile, DotDotName) {
  EXPECT_THAT(Outcome(TarBuilder().File("ok", "").File("a/../../etc/x", "").Done()),
              AllOf(StartsWith("INVALID_ARGUMENT"), HasSubstr("\"a/../../etc/x\" at byte 512"),
                    HasSubstr("\"..\"")));
}

TEST(LayerTarHostile, AbsoluteName) {
  EXPECT_THAT(Outcome(TarBuilder().File("/etc/x", "").Done()),
              AllOf(StartsWith("INVALID_ARGUMENT"), HasSubstr("at byte 0: an absolute name")));
}

TEST(LayerTarHostile, EmptyName) {
  EXPECT_THAT(Outcome(TarBuilder().File("", "").Done()), HasSubstr("an empty name"));
}

TEST(LayerTarHostile, NulInAPaxName) {
  EXPECT_THAT(Outcome(TarBuilder().Pax({{"path", std::string("a\0b", 3)}}).File("x", "").Done()),
              HasSubstr("path has a NUL"));
}

TEST(LayerTarHostile, NulInALongName) {
  EXPECT_THAT(Outcome(TarBuilder().Long('L', std::string("a\0b", 3)).File("x", "").Done()),
              HasSubstr("a long name has a NUL"));
}

TEST(LayerTarHostile, ComponentOf256Bytes) {
  EXPECT_THAT(Outcome(TarBuilder().Long('L', std::string(256, 'n')).File("x", "").Done()),
              HasSubstr("a component of 256 bytes; the limit is 255"));
}

TEST(LayerTarHostile, ComponentOf255BytesIsFine) {
  EXPECT_THAT(Outcome(TarBuilder().Long('L', std::string(255, 'n')).File("x", "").Done()),
              StartsWith("ok"));
}

TEST(LayerTarHostile, NameOver4095Bytes) {
  std::string name;
  while (name.size() < 4096) name += "d/";
  EXPECT_THAT(Outcome(TarBuilder().Long('L', name).File("x", "").Done()),
              HasSubstr("a name of 4096 bytes; the limit is 4095"));
}

TEST(LayerTarHostile, PathTenThousandDeepIsOverTheNameLimit) {
  std::string name;
  for (int depth = 0; depth < 10'000; ++depth) name += "d/";
  EXPECT_THAT(Outcome(TarBuilder().Long('L', name).Dir("x").Done()), HasSubstr("max_name_bytes"));
}

TEST(LayerTarHostile, PathTenThousandDeepWithAHigherLimit) {
  std::string name;
  for (int depth = 0; depth < 10'000; ++depth) name += "d/";
  LayerTarOptions options;
  options.limits.max_name_bytes = 30'000;
  MemFs fs;
  // And away again: taking a deep tree down needs no deep stack.
  const std::string tar = TarBuilder().Long('L', name).Dir("x").File("d", "flat").Done();
  ASSERT_TRUE(ReadLayerTar(tar, fs, fs.root(), options).ok());
  EXPECT_EQ(test::TreeText(fs, fs.root(), TreeDetail::kBrief), "f d \"flat\"\n");
}

// ── Ways ───────────────────────────────────────────────────────────────────────────────────────

TEST(LayerTarHostile, EntryThroughASymlink) {
  EXPECT_THAT(Outcome(TarBuilder().Symlink("a", "/etc").File("a/passwd", "").Done()),
              AllOf(StartsWith("INVALID_ARGUMENT"),
                    HasSubstr("at byte 512: its way leads through the symlink \"a\"")));
}

TEST(LayerTarHostile, EntryThroughASymlinkInTheTargetItself) {
  MemFs fs;
  ASSERT_TRUE(ReadLayerTar(TarBuilder().Dir("t").Symlink("a", "t").Done(), fs, fs.root()).ok());
  EXPECT_FALSE(ReadLayerTar(TarBuilder().File("a/x", "").Done(), fs, fs.root()).ok());
  EXPECT_EQ(test::TreeText(fs, fs.root(), TreeDetail::kBrief), "l a -> t\nd t\n");
}

TEST(LayerTarHostile, SymlinkInPlaceOfTheRoot) {
  EXPECT_THAT(Outcome(TarBuilder().Symlink("./", "/").File("x", "").Done()),
              HasSubstr("the root of a layer must be a directory"));
  EXPECT_THAT(Outcome(TarBuilder().Symlink(".", "/").File("x", "").Done()),
              HasSubstr("the root of a layer must be a directory"));
}

TEST(LayerTarHostile, FileWhereADirectoryIsNeeded) {
  EXPECT_THAT(Outcome(TarBuilder().File("a", "").File("a/b", "").Done()),
              HasSubstr("through \"a\", which is no directory"));
}

TEST(LayerTarHostile, HardLinkToAnAbsentTarget) {
  EXPECT_THAT(Outcome(TarBuilder().Link("a", "nothing").File("nothing", "").Done()),
              HasSubstr("a hard link to \"nothing\": the tar has no such file before"));
}

TEST(LayerTarHostile, HardLinkToTheOutside) {
  EXPECT_THAT(Outcome(TarBuilder().Link("a", "../x").Done()), HasSubstr("a name with \"..\""));
  EXPECT_THAT(Outcome(TarBuilder().Link("a", "/etc/passwd").Done()), HasSubstr("an absolute name"));
  EXPECT_THAT(Outcome(TarBuilder().Link("a", "").Done()), HasSubstr("an empty name"));
}

TEST(LayerTarHostile, HardLinkThroughASymlink) {
  EXPECT_THAT(Outcome(TarBuilder().File("d/f", "").Symlink("l", "d").Link("a", "l/f").Done()),
              HasSubstr("through the symlink \"l\""));
}

TEST(LayerTarHostile, HardLinkToADirectory) {
  EXPECT_THAT(Outcome(TarBuilder().Dir("d").Link("a", "d").Done()), HasSubstr("it is a directory"));
  EXPECT_THAT(Outcome(TarBuilder().Link("a", ".").Done()), HasSubstr("it is a directory"));
}

TEST(LayerTarHostile, HardLinkToAWhiteout) {
  EXPECT_THAT(Outcome(TarBuilder().File(".wh.x", "").Link("a", "x").Done()),
              HasSubstr("the tar has no such file before"));
}

TEST(LayerTarHostile, HardLinkThatReplacesItsOwnTarget) {
  EXPECT_THAT(Outcome(TarBuilder().File("d/f", "").Link("d", "d/f").Done()),
              HasSubstr("a hard link that replaces its own target"));
}

TEST(LayerTarHostile, EmptySymlinkTarget) {
  EXPECT_THAT(Outcome(TarBuilder().Symlink("a", "").Done()), StartsWith("INVALID_ARGUMENT"));
}

TEST(LayerTarHostile, SymlinkTargetOver4095Bytes) {
  EXPECT_THAT(Outcome(TarBuilder().Long('K', std::string(4096, 't')).Symlink("a", "x").Done()),
              HasSubstr("a link target that is too long"));
}

TEST(LayerTarHostile, SymlinkLoopIsJustTwoNodes) {
  EXPECT_THAT(Outcome(TarBuilder().Symlink("a", "b").Symlink("b", "a").Done()),
              HasSubstr("l a -> b\nl b -> a\n"));
}

// ── Marks ──────────────────────────────────────────────────────────────────────────────────────

TEST(LayerTarHostile, WhiteoutThatNamesNothing) {
  EXPECT_THAT(Outcome(TarBuilder().File("a/.wh.", "").Done()),
              HasSubstr("a whiteout that names nothing"));
}

TEST(LayerTarHostile, WhiteoutOfDot) {
  EXPECT_THAT(Outcome(TarBuilder().File(".wh..", "").Done()),
              HasSubstr("a whiteout that names nothing"));
}

TEST(LayerTarHostile, WhiteoutOfDotDot) {
  EXPECT_THAT(Outcome(TarBuilder().File(".wh...", "").Done()),
              HasSubstr("a whiteout that names nothing"));
}

TEST(LayerTarHostile, WhiteoutWithASlash) {
  EXPECT_THAT(Outcome(TarBuilder().File(".wh.a/b", "").Done()),
              HasSubstr("a whiteout as a directory"));
}

TEST(LayerTarHostile, WhiteoutThatIsADirectory) {
  EXPECT_THAT(Outcome(TarBuilder().Dir(".wh.a").Done()),
              HasSubstr("a whiteout that is a directory"));
}

// ── Headers and sizes ──────────────────────────────────────────────────────────────────────────

TEST(LayerTarHostile, NotATar) {
  EXPECT_THAT(Outcome(std::string(2048, 'x')),
              AllOf(StartsWith("INVALID_ARGUMENT"), HasSubstr("at byte 0: not a tar header")));
}

TEST(LayerTarHostile, NothingAtAll) { EXPECT_THAT(Outcome(""), StartsWith("DATA_LOSS")); }

TEST(LayerTarHostile, WrongChecksum) {
  std::string tar = TarBuilder().File("a", "x").File("b", "").Done();
  tar[1024] = 'c';
  EXPECT_THAT(Outcome(tar), HasSubstr("at byte 1024: not a tar header: the checksum is wrong"));
}

TEST(LayerTarHostile, UnknownTypeOfEntry) {
  RawHeader header;
  header.type = 'Z';
  header.name = "z";
  EXPECT_THAT(Outcome(TarBuilder().Raw(header).Done()), HasSubstr("unknown type 0x5a"));
}

TEST(LayerTarHostile, NegativeSize) {
  EXPECT_THAT(Outcome(TarBuilder().Raw(Sized(std::string(12, '\xff'))).Done()),
              HasSubstr("the size is negative"));
}

TEST(LayerTarHostile, SizeThatIsNoNumber) {
  EXPECT_THAT(Outcome(TarBuilder().Raw(Sized("12z")).Done()),
              HasSubstr("the size is not an octal number"));
}

TEST(LayerTarHostile, SizeBeyond64Bits) {
  EXPECT_THAT(Outcome(TarBuilder().Raw(Sized("\x80" + std::string(11, '\xff'))).Done()),
              HasSubstr("the size is out of range"));
}

TEST(LayerTarHostile, PaxSizeNear2To64) {
  EXPECT_THAT(Outcome(TarBuilder().Pax({{"size", "18446744073709551615"}}).File("f", "").Done()),
              StartsWith("RESOURCE_EXHAUSTED"));
  EXPECT_THAT(Outcome(TarBuilder().Pax({{"size", "18446744073709551616"}}).File("f", "").Done()),
              HasSubstr("the size is not a number in range"));
}

TEST(LayerTarHostile, OneKibibyteThatClaimsOneTebibyte) {
  EXPECT_THAT(Outcome(TarBuilder().Pax({{"size", "1099511627776"}}).File("f", "").Done()),
              HasSubstr("max_total_bytes"));
}

TEST(LayerTarHostile, SizeLargerThanTheTar) {
  EXPECT_THAT(Outcome(TarBuilder().Raw(Sized("00010000000")).Done()),
              AllOf(StartsWith("DATA_LOSS"),
                    HasSubstr("\"f\" at byte 0: truncated: the tar ends in the body")));
}

TEST(LayerTarHostile, TruncatedAtEveryByte) {
  TarBuilder tar;
  tar.Pax({{"mtime", "1.5"}}).File("a", "body").Long('L', std::string(120, 'n')).Dir("d");
  tar.File(".wh.x", "");
  const std::string& bytes = tar.bytes();
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    MemFs fs;
    const absl::StatusOr<LayerTarReport> report =
        ReadLayerTar(std::string_view(bytes).substr(0, size), fs, fs.root());
    ASSERT_EQ(report.status().code(), absl::StatusCode::kDataLoss) << "size " << size;
    ASSERT_EQ(test::TreeText(fs, fs.root(), TreeDetail::kBrief), "") << "size " << size;
  }
}

TEST(LayerTarHostile, LoneZeroBlock) {
  const std::string tar = TarBuilder().File("a", "").bytes() + std::string(512, '\0') +
                          TarBuilder().File("b", "").Done();
  EXPECT_THAT(Outcome(tar), AllOf(StartsWith("DATA_LOSS"), HasSubstr("a lone block of zeros")));
}

TEST(LayerTarHostile, ExtensionHeaderWithoutItsEntry) {
  EXPECT_THAT(Outcome(TarBuilder().File("a", "").Pax({{"path", "x"}}).Done()),
              HasSubstr("the tar ends behind an extension header"));
}

// ── Pax records ────────────────────────────────────────────────────────────────────────────────

TEST(LayerTarHostile, PaxRecordsWithWrongLengths) {
  const std::string after = TarBuilder().File("f", "").Done();
  EXPECT_THAT(Outcome(TarBuilder().PaxText("99 path=a\n").bytes() + after),
              HasSubstr("its length passes the end"));
  EXPECT_THAT(Outcome(TarBuilder().PaxText("8 path=a\n").bytes() + after),
              HasSubstr("its length does not end at a line end"));
  EXPECT_THAT(Outcome(TarBuilder().PaxText("3 path=a\n").bytes() + after),
              HasSubstr("its length is too short"));
  EXPECT_THAT(Outcome(TarBuilder().PaxText("-10 path=a\n").bytes() + after),
              HasSubstr("its length is not a number"));
  EXPECT_THAT(Outcome(TarBuilder().PaxText("99999999999999999999999 path=a\n").bytes() + after),
              HasSubstr("its length is not a number"));
  EXPECT_THAT(Outcome(TarBuilder().PaxText("path=a\n").bytes() + after), HasSubstr("no length"));
  EXPECT_THAT(Outcome(TarBuilder().PaxText("7 path\n").bytes() + after), HasSubstr("no key"));
}

TEST(LayerTarHostile, PaxNumbersThatAreNone) {
  EXPECT_THAT(Outcome(TarBuilder().Pax({{"uid", "-1"}}).File("f", "").Done()),
              HasSubstr("the uid is not a number in range"));
  EXPECT_THAT(Outcome(TarBuilder().Pax({{"uid", "4294967296"}}).File("f", "").Done()),
              HasSubstr("uid is out of range"));
  EXPECT_THAT(Outcome(TarBuilder().Pax({{"mtime", "1.x"}}).File("f", "").Done()),
              HasSubstr("the mtime is not a time"));
}

TEST(LayerTarHostile, PaxHeaderThatClaimsGibibytes) {
  RawHeader header = Sized("10000000000");
  header.type = 'x';
  EXPECT_THAT(Outcome(TarBuilder().Raw(header).Done()), HasSubstr("max_header_bytes"));
}

TEST(LayerTarHostile, ThousandsOfXattrs) {
  std::vector<std::pair<std::string, std::string>> records;
  for (int index = 0; index < 5000; ++index) {
    records.emplace_back(absl::StrFormat("SCHILY.xattr.user.%04d", index), std::string(300, 'v'));
  }
  EXPECT_THAT(Outcome(TarBuilder().Pax(records).File("f", "").Done()),
              HasSubstr("max_xattr_bytes"));
}

TEST(LayerTarHostile, XattrOf64KibibytesAndOneByte) {
  const std::string most(65536, 'v');
  EXPECT_THAT(Outcome(TarBuilder().Pax({{"SCHILY.xattr.user.a", most}}).File("f", "").Done()),
              StartsWith("ok"));
  EXPECT_THAT(Outcome(TarBuilder().Pax({{"SCHILY.xattr.user.a", most + "v"}}).File("f", "").Done()),
              AllOf(StartsWith("INVALID_ARGUMENT"), HasSubstr("xattr \"user.a\"")));
}

TEST(LayerTarHostile, XattrsWithBadNamesAndValues) {
  EXPECT_THAT(Outcome(TarBuilder().Pax({{"SCHILY.xattr.", "x"}}).File("f", "").Done()),
              HasSubstr("an xattr without a name"));
  EXPECT_THAT(Outcome(TarBuilder().Pax({{"LIBARCHIVE.xattr.user.%00", "eA=="}}).Dir("f").Done()),
              HasSubstr("the name of an xattr has a NUL"));
  EXPECT_THAT(Outcome(TarBuilder().Pax({{"LIBARCHIVE.xattr.user.a", "!"}}).Dir("f").Done()),
              HasSubstr("not base 64"));
  EXPECT_THAT(
      Outcome(
          TarBuilder().Pax({{"SCHILY.xattr.user." + std::string(300, 'k'), "x"}}).Dir("f").Done()),
      StartsWith("INVALID_ARGUMENT"));
}

}  // namespace
}  // namespace lamina
