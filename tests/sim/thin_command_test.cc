// lamina thin on the command line: what it prints, what it writes, and how it ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/block/thin_example.h"
#include "tests/sim/command_line.h"

namespace lamina {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class ThinCommandLine : public CommandLineTest {
 protected:
  ThinCommandLine() {
    std::string pattern = ::testing::TempDir() + "/lamina_thin_XXXXXX";
    top_ = ::mkdtemp(pattern.data());
    Put("p.xml", kThinExample);
  }
  ~ThinCommandLine() override { std::filesystem::remove_all(top_); }

  std::string At(const std::string& name) const { return (top_ / name).string(); }
  void Put(const std::string& name, const std::string& text) const {
    std::ofstream(top_ / name, std::ios::binary) << text;
  }
  std::string Body(const std::string& name) const {
    std::ifstream file(top_ / name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  // In the temporary directory.
  Ended Thin(const std::string& arguments, const std::string& errors = "2>/dev/null") const {
    const std::filesystem::path before = std::filesystem::current_path();
    std::filesystem::current_path(top_);
    Ended ended = Run("thin " + arguments, errors);
    std::filesystem::current_path(before);
    return ended;
  }
  std::string Message(const std::string& arguments) const {
    return Thin(arguments, "2>&1 >/dev/null").out;
  }

  std::filesystem::path top_;
};

TEST_F(ThinCommandLine, AnAnswerThatIsNotWrittenIsAnError) {
  EXPECT_EQ(Thin("dump p.xml >/dev/full").status, 4);
  EXPECT_EQ(Run("thin dump " + At("p.xml"), "2>&1 >/dev/full").out,
            "lamina: standard output: No space left on device\n");
}

TEST_F(ThinCommandLine, AWrongOptionWithJsonIsADocumentToo) {
  const Ended ended = Thin("ls --json --bogus p.xml");
  EXPECT_EQ(ended.status, 2);
  EXPECT_THAT(ended.out, AllOf(StartsWith("{\n  \"format\": \"lamina-thin/1\""),
                               HasSubstr("\"error\""), HasSubstr("--bogus")));
}

// ── ls ────────────────────────────────────────────────────────────────────────────────────────

TEST_F(ThinCommandLine, LsIsALineADevice) {
  const Ended ended = Thin("ls p.xml");
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out, "1 4 1 3 0 0 1\n2 5 2 3 1 1 1\n");
}

TEST_F(ThinCommandLine, LsInTheFormatOfTheTool) {
  EXPECT_EQ(Thin("ls --format=tool p.xml").out,
            "DEV MAPPED CREATE_TIME SNAP_TIME \n"
            "  1 256KiB           0         1 \n"
            "  2 320KiB           1         1 \n");
}

TEST_F(ThinCommandLine, LsOfAPoolWithoutDevicesPrintsNothing) {
  Put("none.xml",
      "<superblock uuid=\"\" time=\"0\" transaction=\"0\" flags=\"0\" version=\"2\" "
      "data_block_size=\"128\" nr_data_blocks=\"9\"/>");
  const Ended ended = Thin("ls none.xml");
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.out, IsEmpty());
}

TEST_F(ThinCommandLine, LsAsJson) {
  const std::string out = Thin("ls --json p.xml").out;
  EXPECT_THAT(out, HasSubstr("\"format\": \"lamina-thin/1\""));
  EXPECT_THAT(out, HasSubstr("\"exclusive_blocks\": 1,\n      \"shared_blocks\": 3"));
}

TEST_F(ThinCommandLine, AFileMayBeStandardInput) {
  EXPECT_EQ(Thin("ls - <p.xml").out, Thin("ls p.xml").out);
}

// ── delta ─────────────────────────────────────────────────────────────────────────────────────

TEST_F(ThinCommandLine, DeltaIsALineARun) {
  const Ended ended = Thin("delta --snap1 1 --snap2 2 p.xml");
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out, "different 0 1\nsame 1 3\nright_only 9 1\n");
  EXPECT_EQ(Thin("delta --thin1 2 --thin2 1 p.xml").out,
            "different 0 1\nsame 1 3\nleft_only 9 1\n");
}

TEST_F(ThinCommandLine, DeltaInTheFormatOfTheTool) {
  EXPECT_EQ(Thin("delta --format=tool --snap1 1 --snap2 2 p.xml").out,
            "<superblock uuid=\"\" time=\"1\" transaction=\"3\" data_block_size=\"128\" "
            "nr_data_blocks=\"16\">\n"
            "  <diff left=\"1\" right=\"2\">\n"
            "    <different begin=\"0\" length=\"1\"/>\n"
            "    <same begin=\"1\" length=\"3\"/>\n"
            "    <right_only begin=\"9\" length=\"1\"/>\n"
            "  </diff>\n</superblock>\n");
  EXPECT_THAT(Thin("delta --format=tool --verbose --snap1 1 --snap2 2 p.xml").out,
              HasSubstr("<range begin=\"0\" left_data_begin=\"4\" right_data_begin=\"0\""));
}

TEST_F(ThinCommandLine, AnUnknownDeviceIs4AndAMessage) {
  const Ended ended = Thin("delta --snap1 1 --snap2 7 p.xml");
  EXPECT_EQ(ended.status, 4);
  EXPECT_THAT(ended.out, IsEmpty());
  EXPECT_EQ(Message("delta --snap1 1 --snap2 7 p.xml"), "p.xml: no device 7 [ENODATA]\n");
  EXPECT_EQ(Message("delta --snap1 9 --snap2 7 p.xml"), "p.xml: no device 9 [ENODATA]\n");
  const Ended json = Thin("delta --json --snap1 1 --snap2 7 p.xml");
  EXPECT_EQ(json.status, 4);
  EXPECT_THAT(json.out, HasSubstr("\"errno\": \"ENODATA\""));
}

// ── dump ──────────────────────────────────────────────────────────────────────────────────────

TEST_F(ThinCommandLine, DumpIsCanonical) {
  EXPECT_EQ(Thin("dump p.xml").out, kThinExample);
  EXPECT_EQ(Thin("dump --format=tool p.xml").out, kThinExample);
  std::string untidy = kThinExample;
  untidy.replace(untidy.find("mapped_blocks=\"4\""), 17, "mapped_blocks=\"9\"");
  Put("untidy.xml", untidy);
  EXPECT_EQ(Thin("dump untidy.xml").out, kThinExample);
}

TEST_F(ThinCommandLine, DumpAsJson) {
  EXPECT_THAT(Thin("dump --json p.xml").out,
              AllOf(HasSubstr("\"nr_data_blocks\": 16"), HasSubstr("\"origin_begin\": 9")));
}

// ── restore ───────────────────────────────────────────────────────────────────────────────────

TEST_F(ThinCommandLine, WhatRestoreWroteIsReadInPlaceOfXml) {
  const Ended ended = Thin("restore p.xml -o m.bin");
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out, "m.bin: 2 devices, 9 mapped blocks, 256 metadata blocks\n");
  EXPECT_EQ(Thin("dump m.bin").out, kThinExample);
  EXPECT_EQ(Thin("dump - <m.bin").out, kThinExample);
  EXPECT_EQ(Thin("ls m.bin").out, Thin("ls p.xml").out);
  EXPECT_EQ(Thin("ls --format=tool m.bin").out, Thin("ls --format=tool p.xml").out);
  EXPECT_EQ(Thin("delta --snap1 1 --snap2 2 m.bin").out,
            "different 0 1\nsame 1 3\nright_only 9 1\n");
  EXPECT_EQ(Thin("delta --snap1 1 --snap2 7 m.bin").status, 4);
  EXPECT_EQ(Thin("check m.bin").out, "no findings\n");
  EXPECT_EQ(Thin("restore m.bin -o again.bin").status, 0);
  EXPECT_EQ(Body("again.bin"), Body("m.bin"));
}

TEST_F(ThinCommandLine, TheFilesOfRestoreMayBeNamedAsForTheTool) {
  EXPECT_EQ(Thin("restore -i p.xml -o a.bin").status, 0);
  EXPECT_EQ(Thin("restore p.xml b.bin").status, 0);
  EXPECT_EQ(Body("a.bin"), Body("b.bin"));
  EXPECT_THAT(Thin("restore --json p.xml -o a.bin").out, HasSubstr("\"mapped_blocks\": 9"));
}

TEST_F(ThinCommandLine, RestoreReplacesAFileAndKeepsItsLengthModeAndLinks) {
  Put("m.bin", std::string(std::size_t{3} << 20, 'x'));
  std::filesystem::permissions(top_ / "m.bin", std::filesystem::perms(0640));
  std::filesystem::create_symlink("m.bin", top_ / "link");
  EXPECT_EQ(Thin("restore p.xml -o link").status, 0);
  EXPECT_TRUE(std::filesystem::is_symlink(top_ / "link"));
  EXPECT_EQ(std::filesystem::file_size(top_ / "m.bin"), std::size_t{3} << 20);
  EXPECT_EQ(std::filesystem::status(top_ / "m.bin").permissions(), std::filesystem::perms(0640));
  EXPECT_EQ(Thin("dump m.bin").out, kThinExample);
}

TEST_F(ThinCommandLine, AFailedRestoreLosesNothing) {
  ASSERT_EQ(Thin("restore p.xml -o m.bin").status, 0);
  const std::string before = Body("m.bin");
  std::string text = kThinExample;
  text.replace(text.find("version=\"2\""), 11, "version=\"7\"");
  Put("seven.xml", text);
  EXPECT_EQ(Thin("restore seven.xml -o m.bin").status, 4);
  Put("cut.xml", std::string(kThinExample).substr(0, 500));
  EXPECT_EQ(Thin("restore cut.xml -o m.bin").status, 3);
  text = kThinExample;
  text.replace(text.find("nr_data_blocks=\"16\""), 19, "nr_data_blocks=\"1099511627776\"");
  Put("large.xml", text);
  EXPECT_EQ(Thin("restore large.xml -o m.bin").status, 4);
  EXPECT_THAT(Message("restore large.xml -o m.bin"),
              HasSubstr("more than 4161600 metadata blocks"));
  EXPECT_EQ(Body("m.bin"), before);
  EXPECT_EQ(Thin("restore seven.xml -o new.bin").status, 4);
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(top_)) {
    files += entry.exists() ? 1 : 0;
  }
  EXPECT_EQ(files, 5u);  // p.xml, m.bin and the three that were refused: no leavings
}

TEST_F(ThinCommandLine, WhatCannotBeWrittenIs4) {
  EXPECT_EQ(Thin("restore p.xml -o /nonexistent/m.bin").status, 4);
  EXPECT_EQ(Message("restore p.xml -o /dev/null"), "/dev/null: neither a file nor a disk\n");
  EXPECT_EQ(Message("restore p.xml -o ."), ".: neither a file nor a disk\n");
}

// ── check ─────────────────────────────────────────────────────────────────────────────────────

TEST_F(ThinCommandLine, CheckIs0WithoutFindings) {
  const Ended ended = Thin("check p.xml");
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out, "no findings\n");
  EXPECT_THAT(Thin("check --json p.xml").out, HasSubstr("\"findings\": []"));
}

TEST_F(ThinCommandLine, CheckIs1WithFindings) {
  std::string text = kThinExample;
  text.replace(text.find("mapped_blocks=\"4\""), 17, "mapped_blocks=\"9\"");
  text.replace(text.find("  </device>"), 11, "  x</device>");
  Put("odd.xml", text);
  const Ended ended = Thin("check odd.xml");
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(ended.out,
            "damage   device 1: mapped_blocks is 9, but 4 are mapped\n"
            "odd      line 5: text, which is skipped\n"
            "2 findings: 1 damage, 0 leaks, 1 odd\n");
  EXPECT_THAT(Thin("check --json odd.xml").out, HasSubstr("\"kind\": \"damage\""));
}

TEST_F(ThinCommandLine, CheckListsWhatRestoreRefuses) {
  std::string text = kThinExample;
  text.replace(text.find("dev_id=\"2\""), 10, "dev_id=\"1\"");
  Put("twice.xml", text);
  EXPECT_EQ(Thin("check twice.xml").status, 1);
  EXPECT_THAT(Thin("check twice.xml").out,
              HasSubstr("damage   device 1 is there more than once\n"));
  EXPECT_EQ(Thin("ls twice.xml").status, 3);
  EXPECT_EQ(Message("ls twice.xml"), "twice.xml:6:4: a second device 1\n");
}

TEST_F(ThinCommandLine, CheckFindsAFlippedBitOfMetadata) {
  ASSERT_EQ(Thin("restore p.xml -o m.bin").status, 0);
  std::string bytes = Body("m.bin");
  const std::size_t at = bytes.find(std::string("\x05\0\0\0\0\0\0\0", 8), 4096);  // a count of 5
  ASSERT_NE(at, std::string::npos);
  bytes[at] ^= 1;
  Put("m.bin", bytes);
  EXPECT_EQ(Thin("check m.bin").status, 1);
  EXPECT_EQ(Thin("dump m.bin").status, 3);
  EXPECT_THAT(Thin("dump m.bin").out, IsEmpty());
  EXPECT_THAT(Message("dump m.bin"), StartsWith("m.bin: damaged metadata;"));
}

// ── wrong usage and unreadable input ──────────────────────────────────────────────────────────

TEST_F(ThinCommandLine, WrongUsageIs2) {
  EXPECT_EQ(Thin("").status, 2);
  EXPECT_EQ(Thin("count p.xml").status, 2);
  EXPECT_EQ(Thin("ls").status, 2);
  EXPECT_EQ(Thin("ls --format=table p.xml").status, 2);
  EXPECT_EQ(Thin("ls --json --format=tool p.xml").status, 2);
  EXPECT_EQ(Thin("delta p.xml").status, 2);
  EXPECT_EQ(Thin("delta --snap1 1 p.xml").status, 2);
  EXPECT_EQ(Thin("delta --snap1 one --snap2 2 p.xml").status, 2);
  EXPECT_EQ(Thin("delta --verbose --snap1 1 --snap2 2 p.xml").status, 2);
  EXPECT_EQ(Thin("restore p.xml").status, 2);
  EXPECT_EQ(Thin("restore p.xml -o -").status, 2);
}

TEST_F(ThinCommandLine, OptionsStandBeforeThePartOrBehindIt) {
  const Ended behind = Thin("ls p.xml --json");
  EXPECT_EQ(behind.status, 0);
  EXPECT_EQ(Thin("--json ls p.xml").out, behind.out);
  EXPECT_EQ(Thin("ls --json p.xml").out, behind.out);
  EXPECT_EQ(Thin("--format=tool ls p.xml").out, Thin("ls p.xml --format=tool").out);
  EXPECT_EQ(Thin("--json delta p.xml --snap1 1 --snap2 2").out,
            Thin("delta --snap1 1 --snap2 2 --json p.xml").out);
  EXPECT_EQ(Thin("--format=tool check p.xml").status, 2);
  EXPECT_THAT(Thin("--json ls none.xml").out, HasSubstr("\"error\""));
}

TEST_F(ThinCommandLine, WhatIsNoDeviceNumberIs2) {
  for (const std::string number :
       {"-1", "1.0", "0x1", "+1", "''", "1e0", "18446744073709551616", "' 1'"}) {
    EXPECT_EQ(Thin("delta --thin1 " + number + " --thin2 2 p.xml").status, 2) << number;
    EXPECT_EQ(Thin("delta --thin1=" + number + " --thin2 2 p.xml").status, 2) << number;
  }
  EXPECT_THAT(Message("delta --thin1 -1 --thin2 2 p.xml"), HasSubstr("'-1' is no device number"));
  EXPECT_EQ(Thin("delta --thin1 16777216 --thin2 2 p.xml").status, 4);
  EXPECT_EQ(Thin("delta --thin1 18446744073709551615 --thin2 2 p.xml").status, 4);
  EXPECT_EQ(Thin("delta --thin1 01 --thin2 2 p.xml").out,
            Thin("delta --thin1 1 --thin2 2 p.xml").out);
}

TEST_F(ThinCommandLine, AMissingFileIsCalledFile) {
  EXPECT_EQ(Message("ls"), "lamina thin: which FILE? (lamina thin ls --help)\n");
  EXPECT_EQ(Message("delta --thin1 1 --thin2 2"),
            "lamina thin: which FILE? (lamina thin delta --help)\n");
  EXPECT_EQ(Message(""), "lamina thin: dump, restore, check, ls or delta? (lamina help thin)\n");
  EXPECT_EQ(Message("list p.xml"),
            "lamina thin: 'list' is none of dump, restore, check, ls, delta\n");
  EXPECT_EQ(Thin("--bogus ls p.xml").status, 2);
  EXPECT_EQ(Thin("ls p.xml p.xml").status, 2);
  EXPECT_EQ(Message("restore p.xml"), "lamina thin: which OUTPUT? It is a file or a disk\n");
}

TEST_F(ThinCommandLine, UnreadableInputIs3WithItsPlace) {
  EXPECT_EQ(Message("ls none.xml"), "none.xml: No such file or directory\n");
  Put("bad.xml", "\n<superblock/>");
  EXPECT_EQ(Thin("ls bad.xml").status, 3);
  EXPECT_EQ(Message("ls bad.xml"), "bad.xml:2:2: <superblock> has no attribute uuid\n");
  EXPECT_THAT(Thin("ls --json bad.xml").out,
              HasSubstr("\"message\": \"bad.xml:2:2: <superblock> has no attribute uuid\""));
  Put("bytes", std::string("\0\1\2\3", 4));
  EXPECT_EQ(Message("check bytes"),
            "bytes: neither thin_dump XML nor the metadata of a thin pool\n");
  EXPECT_EQ(Thin("check bytes").status, 3);
}

TEST_F(ThinCommandLine, CutMetadataIsAnError) {
  ASSERT_EQ(Thin("restore p.xml -o m.bin").status, 0);
  for (const std::size_t length : {100, 4096, 5000, 20'000}) {
    Put("cut.bin", Body("m.bin").substr(0, length));
    EXPECT_EQ(Thin("ls cut.bin").status, 3) << length;
    EXPECT_NE(Thin("check cut.bin").status, 0) << length;
  }
}

// A simulated pool goes out to the tools: the pool that a scenario leaves.
TEST_F(ThinCommandLine, TakesThePoolOfAScenario) {
  Put("one.scn",
      "scenario 2\npool p data=64MiB\nthin a p 0 16MiB\ndd of=a fill:x:131072\nsnap b a\n"
      "dd of=b fill:y:4096\n");
  const Ended listed = Thin("ls one.scn");
  EXPECT_EQ(listed.status, 0);
  EXPECT_EQ(listed.out, "0 2 1 1 0 0 1\n1 2 1 1 0 1 1\n");
  const Ended dumped = Thin("dump one.scn");
  EXPECT_EQ(dumped.status, 0);
  Put("one.xml", dumped.out);
  EXPECT_EQ(Thin("dump one.xml").out, dumped.out);
  EXPECT_EQ(Thin("check one.scn").status, 0);
  EXPECT_EQ(Thin("ls one.scn --pool p").out, listed.out);
  EXPECT_EQ(Thin("ls one.scn --pool q").status, 4);
  EXPECT_EQ(Thin("ls one.xml --pool p").status, 2);

  Put("two.scn", "scenario 2\npool p\npool q\n");
  EXPECT_EQ(Thin("ls two.scn").status, 4);
  EXPECT_EQ(Thin("ls two.scn --pool q").status, 0);
  Put("none.scn", "scenario 2\ndisk d 1MiB\n");
  EXPECT_EQ(Thin("ls none.scn").status, 4);
  Put("bad.scn", "scenario 2\nnonsense\n");
  EXPECT_EQ(Thin("ls bad.scn").status, 3);
  Put("bad.scn", "scenario 2\npool p\npool q from xml:none.xml\n");
  EXPECT_EQ(Thin("ls --pool p bad.scn").status, 3);
}

}  // namespace
}  // namespace lamina
