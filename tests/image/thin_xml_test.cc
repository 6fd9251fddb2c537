// ReadThinXml and WriteThinXml: thin_dump XML in and out.
#include "lamina/image/thin_xml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "lamina/block/thin_canonical.h"
#include "lamina/block/thin_lint.h"
#include "tests/block/thin_dump_model.h"
#include "tests/block/thin_example.h"

namespace lamina {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Replaced(std::string text, const std::string& what, const std::string& with) {
  const std::size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return at == std::string::npos ? text : text.replace(at, what.size(), with);
}

ThinDump Read(const std::string& text) {
  const absl::StatusOr<ThinXmlDocument> document = ReadThinXml(text);
  EXPECT_TRUE(document.ok()) << document.status().message();
  return document.ok() ? document->dump : ThinDump();
}

ThinXmlDocument ReadAsWritten(const std::string& text) {
  ThinXmlOptions options;
  options.rules = ThinXmlRules::kAsWritten;
  absl::StatusOr<ThinXmlDocument> document = ReadThinXml(text, options);
  EXPECT_TRUE(document.ok()) << document.status().message();
  return document.ok() ? *std::move(document) : ThinXmlDocument();
}

TEST(ThinXml, ReadsTheWorkedExample) {
  const ThinDump dump = Read(kThinExample);
  EXPECT_EQ(dump.time, 1u);
  EXPECT_EQ(dump.transaction, 3u);
  EXPECT_EQ(dump.flags, 0u);
  EXPECT_EQ(dump.version, 2u);
  EXPECT_EQ(dump.data_block_size, 128u);
  EXPECT_EQ(dump.nr_data_blocks, 16u);
  EXPECT_FALSE(dump.metadata_snap.has_value());
  EXPECT_THAT(dump.devices,
              ElementsAre(ThinDumpDevice{1, 4, 0, 0, 1, {{0, 4, 1, 1}, {1, 1, 3, 0}}},
                          ThinDumpDevice{2, 5, 1, 1, 1, {{0, 0, 4, 0}, {9, 5, 1, 1}}}));
}

TEST(ThinXml, WritesWhatItRead) { EXPECT_EQ(ThinXmlText(Read(kThinExample)), kThinExample); }

TEST(ThinXml, WritesTheBundledDumpsByteForByte) {
  int files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(LAMINA_SOURCE_DIR "/tests/oracle/thin")) {
    if (entry.path().extension() != ".xml") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    EXPECT_EQ(ThinXmlText(Read(text)), text) << entry.path();
    ++files;
  }
  EXPECT_EQ(files, 3);
}

TEST(ThinXml, GivesRandomDumpsBack) {
  SplitMix64 random(6);
  for (int round = 0; round < 1000; ++round) {
    const ThinDump dump = CanonicalThinDump(RandomThinDump(random));
    ASSERT_EQ(Read(ThinXmlText(dump)), dump) << "round " << round;
  }
}

TEST(ThinXml, WritesInPiecesWhatItWritesAtOnce) {
  ThinDump dump = Read(kThinExample);
  for (std::uint64_t i = 0; i < 5000; ++i) dump.devices[1].runs.push_back({100 + 2 * i, i, 1, 0});
  std::string whole;
  int pieces = 0;
  WriteThinXml(dump, [&](std::string_view piece) {
    whole.append(piece);
    ++pieces;
  });
  EXPECT_GT(pieces, 3);
  EXPECT_EQ(whole, ThinXmlText(dump));
}

// ── what may be left out, and what is skipped ─────────────────────────────────────────────────

TEST(ThinXml, FlagsMayBeLeftOut) {
  EXPECT_EQ(ThinXmlText(Read(Replaced(kThinExample, " flags=\"0\"", ""))), kThinExample);
}

TEST(ThinXml, NeedsCheckIsKept) {
  const std::string text = Replaced(kThinExample, "flags=\"0\"", "flags=\"1\"");
  EXPECT_EQ(ThinXmlText(Read(text)), text);
}

TEST(ThinXml, WithoutVersionItIsVersion1AsForTheTool) {
  EXPECT_EQ(Read(Replaced(kThinExample, " version=\"2\"", "")).version, 1u);
}

TEST(ThinXml, WhiteSpaceCommentsAndADeclarationDoNotMatter) {
  std::string text = "<?xml version=\"1.0\"?>\r\n<!-- a pool -->\t";
  for (const char letter : std::string(kThinExample))
    text += letter == '\n' ? "\r\n\t" : std::string(1, letter);
  text = Replaced(text, "<range_mapping", "<!-- moved -->\n<range_mapping");
  text =
      Replaced(text, "length=\"3\" time=\"0\"/>", "\n length = '3'\n time='0' ></range_mapping>");
  EXPECT_EQ(ThinXmlText(Read(text)), kThinExample);
}

TEST(ThinXml, AnAmpersandMeansNothingOutsideOfValuesAndText) {
  EXPECT_EQ(ThinXmlText(Read("<?a &b?><!DOCTYPE s [<!ENTITY c \"&d;]>\">]><!-- &e; -->" +
                             Replaced(kThinExample, "data_block=\"4\"", "data_block=\"&#52;\""))),
            kThinExample);
}

TEST(ThinXml, AttributesInAnyOrderAndUnknownOnesAreFine) {
  EXPECT_EQ(ThinXmlText(Read(Replaced(kThinExample, "origin_block=\"0\" data_block=\"4\"",
                                      "colour=\"red\" data_block=\"4\" origin_block=\"0\""))),
            kThinExample);
}

TEST(ThinXml, TheUuidAndTheMetadataSnapshotAreReadAndNotRestored) {
  const std::string text =
      Replaced(kThinExample, "uuid=\"\"", "metadata_snap=\"7\" uuid=\"a&lt;b &amp; c\"");
  EXPECT_EQ(ReadAsWritten(text).dump.metadata_snap, 7u);
  EXPECT_EQ(Read(text).uuid, "a<b & c");
  EXPECT_FALSE(Read(text).metadata_snap.has_value());
  EXPECT_EQ(ThinXmlText(Read(text)), kThinExample);
}

TEST(ThinXml, APoolWithoutDevices) {
  const std::string text =
      "<superblock uuid=\"\" time=\"0\" transaction=\"0\" flags=\"0\" version=\"2\" "
      "data_block_size=\"128\" nr_data_blocks=\"0\">\n</superblock>\n";
  EXPECT_THAT(Read(text).devices, IsEmpty());
  EXPECT_EQ(ThinXmlText(Read(text)), text);
}

TEST(ThinXml, TheLargestNumbers) {
  const std::string text =
      "<superblock uuid=\"\" time=\"4294967295\" transaction=\"18446744073709551615\" "
      "flags=\"4294967295\" version=\"4294967295\" data_block_size=\"4294967295\" "
      "nr_data_blocks=\"18446744073709551615\">\n"
      "  <device dev_id=\"4294967295\" mapped_blocks=\"18446744073709551615\" "
      "transaction=\"18446744073709551615\" creation_time=\"4294967295\" "
      "snap_time=\"4294967295\">\n"
      "    <range_mapping origin_begin=\"0\" data_begin=\"0\" length=\"18446744073709551615\" "
      "time=\"16777215\"/>\n  </device>\n</superblock>\n";
  EXPECT_EQ(ThinXmlText(Read(text)), text);
}

// ── what the tool mends, and lint finds ───────────────────────────────────────────────────────

TEST(ThinXml, SortsDevicesAndCountsAnew) {
  std::string text = Replaced(kThinExample, "dev_id=\"1\" mapped_blocks=\"4\"",
                              "dev_id=\"7\" mapped_blocks=\"400\"");
  const ThinDump dump = Read(text);
  EXPECT_EQ(dump.devices[0].dev_id, 2u);
  EXPECT_EQ(dump.devices[1].dev_id, 7u);
  EXPECT_EQ(dump.devices[1].mapped_blocks, 4u);
  EXPECT_EQ(ReadAsWritten(text).dump.devices[0].mapped_blocks, 400u);
}

TEST(ThinXml, TheLaterOfTwoMappingsOfABlockWins) {
  const ThinDump dump = Read(Replaced(kThinExample, "origin_block=\"9\"", "origin_block=\"2\""));
  EXPECT_THAT(dump.devices[1].runs,
              ElementsAre(ThinRun{0, 0, 2, 0}, ThinRun{2, 5, 1, 1}, ThinRun{3, 3, 1, 0}));
}

TEST(ThinXml, NotesTextAndRangesOfLength1WithTheirLine) {
  std::string text = Replaced(kThinExample, "length=\"3\"", "length=\"1\"");
  text = Replaced(text, "  </device>", "  junk</device>");
  const std::vector<ThinXmlNote> notes = ReadAsWritten(text).notes;
  ASSERT_EQ(notes.size(), 2u);
  EXPECT_EQ(notes[0].line, 4u);
  EXPECT_EQ(notes[0].what, "a range_mapping of length 1: a single_mapping");
  EXPECT_EQ(notes[1].line, 5u);
  EXPECT_EQ(notes[1].what, "text, which is skipped");
}

// ── def and ref of 1.x ────────────────────────────────────────────────────────────────────────

std::string WithDefs(const std::string& defs, const std::string& mappings) {
  return "<superblock uuid=\"\" time=\"1\" transaction=\"3\" flags=\"0\" version=\"2\" "
         "data_block_size=\"128\" nr_data_blocks=\"16\">" +
         defs +
         "<device dev_id=\"1\" mapped_blocks=\"5\" transaction=\"0\" creation_time=\"0\" "
         "snap_time=\"1\">" +
         mappings + "</device></superblock>";
}

constexpr char kDef[] =
    "<def name=\"a\"><range_mapping origin_begin=\"2\" data_begin=\"2\" length=\"3\" "
    "time=\"0\"/></def>";

TEST(ThinXml, ARefStandsForTheMappingsOfItsDef) {
  EXPECT_THAT(Read(WithDefs(kDef, "<ref name=\"a\"/>")).devices[0].runs,
              ElementsAre(ThinRun{2, 2, 3, 0}));
}

TEST(ThinXml, ADefMayNameAnEarlierOne) {
  const std::string second =
      "<def name=\"b\"><ref name=\"a\"/><single_mapping origin_block=\"9\" data_block=\"9\" "
      "time=\"1\"/></def>";
  EXPECT_THAT(Read(WithDefs(kDef + second, "<ref name=\"b\"/>")).devices[0].runs,
              ElementsAre(ThinRun{2, 2, 3, 0}, ThinRun{9, 9, 1, 1}));
}

// The edge of a def cuts a run that 1.x would write as one; that is nothing odd.
TEST(ThinXml, RunsGoOnAcrossTheEdgesOfADef) {
  const std::string mappings =
      "<single_mapping origin_block=\"1\" data_block=\"1\" time=\"0\"/><ref name=\"a\"/>"
      "<single_mapping origin_block=\"5\" data_block=\"5\" time=\"0\"/>";
  const ThinDump dump = ReadAsWritten(WithDefs(kDef, mappings)).dump;
  EXPECT_THAT(dump.devices[0].runs, ElementsAre(ThinRun{1, 1, 5, 0}));
  EXPECT_THAT(LintThinDump(dump), IsEmpty());
}

}  // namespace
}  // namespace lamina
