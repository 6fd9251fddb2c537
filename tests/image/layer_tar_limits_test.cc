// Sparse files, good and bad, and the limits of the reader.
#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

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

// ── Sparse maps ────────────────────────────────────────────────────────────────────────────────

std::string SparseTar(std::string map, std::string size) {
  return TarBuilder()
      .Pax({{"GNU.sparse.map", std::move(map)}, {"GNU.sparse.size", std::move(size)}})
      .File("f", "12345678")
      .Done();
}

TEST(LayerTarSparse, ReadsThePaxMap) {
  EXPECT_THAT(Outcome(SparseTar("10,4,20,4", "30")), HasSubstr("f f \"~101234~65678~6\"\n"));
}

TEST(LayerTarSparse, ReadsPairsOfRecords) {
  TarBuilder tar;
  tar.Pax({{"GNU.sparse.size", "30"},
           {"GNU.sparse.offset", "10"},
           {"GNU.sparse.numbytes", "4"},
           {"GNU.sparse.offset", "20"},
           {"GNU.sparse.numbytes", "4"},
           {"GNU.sparse.name", "real"}});
  tar.File("GNUSparseFile.0/real", "12345678");
  EXPECT_THAT(Outcome(tar.Done()), HasSubstr("f real \"~101234~65678~6\"\n"));
}

TEST(LayerTarSparse, ReadsTheMapInFrontOfTheBody) {
  std::string map = "2\n10\n4\n20\n4\n";
  map.resize(512, '\0');
  TarBuilder tar;
  tar.Pax({{"GNU.sparse.major", "1"},
           {"GNU.sparse.minor", "0"},
           {"GNU.sparse.name", "real"},
           {"GNU.sparse.realsize", "30"}});
  tar.File("GNUSparseFile.0/real", map + "12345678").File("next", "");
  EXPECT_THAT(Outcome(tar.Done()), HasSubstr("f next \"\"\nf real \"~101234~65678~6\"\n"));
}

// The header of an old GNU sparse file with one extent, and `extended` blocks promised.
std::string OldSparseTar(char extended, const std::string& extension) {
  RawHeader header;
  header.type = 'S';
  header.name = "f";
  header.magic = std::string("ustar  \0", 8);
  header.size = "00000000010";  // 8
  std::string tar = TarBuilder().Raw(header).bytes();
  tar.replace(386, 24,
              std::string("00000000012\0"
                          "00000000004\0",
                          24));
  tar[482] = extended;
  tar.replace(483, 12, std::string("00000000036\0", 12));
  test::FixChecksum(tar, 0);
  return tar + extension + TarBuilder().Blocks("12345678").Done();
}

TEST(LayerTarSparse, ReadsTheOldGnuForm) {
  std::string extension = std::string(
      "00000000024\0"
      "00000000004\0",
      24);
  extension.resize(512, '\0');
  EXPECT_THAT(Outcome(OldSparseTar('\1', extension)), HasSubstr("f f \"~101234~65678~6\"\n"));
}

TEST(LayerTarSparse, OldGnuFormThatPromisesExtensionsWithoutEnd) {
  std::string extension(512, '\0');
  extension[504] = '\1';
  EXPECT_THAT(Outcome(OldSparseTar('\1', extension)), HasSubstr("an empty extension"));
}

TEST(LayerTarSparse, MapThatOverlaps) {
  EXPECT_THAT(Outcome(SparseTar("10,4,12,4", "30")), HasSubstr("overlaps or goes backwards"));
}

TEST(LayerTarSparse, MapThatGoesBackwards) {
  EXPECT_THAT(Outcome(SparseTar("20,4,10,4", "30")), HasSubstr("overlaps or goes backwards"));
}

TEST(LayerTarSparse, MapThatPassesTheEnd) {
  EXPECT_THAT(Outcome(SparseTar("10,4,28,4", "30")), HasSubstr("passes the end of its file"));
  EXPECT_THAT(Outcome(SparseTar("10,18446744073709551615", "30")),
              HasSubstr("passes the end of its file"));
}

TEST(LayerTarSparse, MapOfMoreThanTheBody) {
  EXPECT_THAT(Outcome(SparseTar("0,30", "30")), HasSubstr("speaks of 30 bytes, the body has 8"));
}

TEST(LayerTarSparse, MapThatEndsInAPair) {
  EXPECT_THAT(Outcome(SparseTar("0,4,10", "30")), HasSubstr("in the middle of a pair"));
}

TEST(LayerTarSparse, FileThatClaims2To62Bytes) {
  EXPECT_THAT(Outcome(SparseTar("0,8", "4611686018427387904")), HasSubstr("max_file_bytes"));
}

TEST(LayerTarSparse, HoleOfATebibyteCostsNothing) {
  EXPECT_THAT(Outcome(SparseTar("0,8", "1099511627776")), HasSubstr("f f 1099511627776 bytes\n"));
}

TEST(LayerTarSparse, MapInFrontThatNeverEnds) {
  TarBuilder tar;
  tar.Pax({{"GNU.sparse.major", "1"}, {"GNU.sparse.realsize", "30"}});
  tar.File("f", "99\n" + std::string(509, '1'));
  EXPECT_THAT(Outcome(tar.Done()), HasSubstr("a number that is too long"));
}

TEST(LayerTarSparse, MapInFrontLongerThanTheBody) {
  TarBuilder tar;
  tar.Pax({{"GNU.sparse.major", "1"}, {"GNU.sparse.realsize", "30"}});
  tar.File("f", "9\n1\n");
  EXPECT_THAT(Outcome(tar.Done()), HasSubstr("passes the end of the body"));
}

// ── Limits ─────────────────────────────────────────────────────────────────────────────────────

TEST(LayerTarLimit, Entries) {
  LayerTarOptions options;
  options.limits.max_entries = 2;
  EXPECT_THAT(Outcome(TarBuilder().Dir("a").Dir("b").Done(), options), StartsWith("ok"));
  EXPECT_THAT(Outcome(TarBuilder().Dir("a").Dir("b").Dir("c").Done(), options),
              AllOf(StartsWith("RESOURCE_EXHAUSTED"), HasSubstr("\"c\" at byte 1024"),
                    HasSubstr("max_entries")));
}

TEST(LayerTarLimit, TotalBytes) {
  LayerTarOptions options;
  options.limits.max_total_bytes = 8;
  EXPECT_THAT(Outcome(TarBuilder().File("a", "1234").File("b", "5678").Done(), options),
              StartsWith("ok"));
  EXPECT_THAT(Outcome(TarBuilder().File("a", "1234").File("b", "56789").Done(), options),
              HasSubstr("max_total_bytes"));
}

std::string Gzip(const std::string& bytes) {
  std::string packed(1U << 20U, '\0');
  std::size_t used = 0;
  archive* writer = archive_write_new();
  archive_write_set_format_raw(writer);
  archive_write_add_filter_gzip(writer);
  EXPECT_EQ(archive_write_open_memory(writer, packed.data(), packed.size(), &used), ARCHIVE_OK);
  archive_entry* whole = archive_entry_new();
  archive_entry_set_filetype(whole, AE_IFREG);
  EXPECT_EQ(archive_write_header(writer, whole), ARCHIVE_OK);
  EXPECT_EQ(archive_write_data(writer, bytes.data(), bytes.size()),
            static_cast<la_ssize_t>(bytes.size()));
  EXPECT_EQ(archive_write_close(writer), ARCHIVE_OK);
  archive_entry_free(whole);
  archive_write_free(writer);
  packed.resize(used);
  return packed;
}

TEST(LayerTarLimit, RatioOfUnpackedToPackedBytes) {
  const std::string packed = Gzip(TarBuilder().File("f", std::string(80U << 20U, '0')).Done());
  LayerTarOptions options;
  options.limits.max_ratio = 100;
  EXPECT_THAT(Outcome(packed, options),
              AllOf(StartsWith("RESOURCE_EXHAUSTED"), HasSubstr("max_ratio")));
  EXPECT_THAT(Outcome(packed), StartsWith("ok"));
}

TEST(LayerTarGzip, WrongBitInTheChecksum) {
  std::string packed = Gzip(TarBuilder().File("f", "text").Done());
  packed[packed.size() - 6] = static_cast<char>(packed[packed.size() - 6] ^ 1);
  EXPECT_THAT(Outcome(packed), AllOf(StartsWith("DATA_LOSS"), HasSubstr("incorrect data check")));
}

TEST(LayerTarGzip, CutAtEveryByte) {
  const std::string packed = Gzip(TarBuilder().File("f", "text").Done());
  for (std::size_t size = 0; size < packed.size(); ++size) {
    MemFs fs;
    ASSERT_FALSE(ReadLayerTar(std::string_view(packed).substr(0, size), fs, fs.root()).ok())
        << "first " << size << " bytes";
  }
}

TEST(LayerTarGzip, SeveralMembersAreOneTar) {
  const std::string tar = TarBuilder().File("f", "text").Done();
  EXPECT_THAT(Outcome(Gzip(tar.substr(0, 700)) + Gzip(tar.substr(700)) + std::string(512, '\0')),
              HasSubstr("f f \"text\"\n"));
}

TEST(LayerTarLimit, SparseExtents) {
  LayerTarOptions options;
  options.limits.max_sparse_extents = 1;
  EXPECT_THAT(Outcome(SparseTar("10,4,20,4", "30"), options), HasSubstr("max_sparse_extents"));
}

TEST(LayerTarLimit, SpaceOfTheFileSystem) {
  MemFsOptions small;
  small.capacity_bytes = 8192;
  MemFs fs(small);
  const std::string tar = TarBuilder().File("a", "1").File("b", std::string(64 * 1024, 'x')).Done();
  const absl::StatusOr<LayerTarReport> report = ReadLayerTar(tar, fs, fs.root());
  EXPECT_EQ(report.status().code(), absl::StatusCode::kResourceExhausted) << report.status();
  EXPECT_EQ(test::TreeText(fs, fs.root(), TreeDetail::kBrief), "");
}

TEST(LayerTarLimit, FrozenTarget) {
  MemFs fs;
  fs.Freeze();
  EXPECT_EQ(ReadLayerTar(TarBuilder().Dir("a").Done(), fs, fs.root()).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(LayerTarLimit, TargetThatIsNoDirectory) {
  MemFs fs;
  ASSERT_TRUE(ReadLayerTar(TarBuilder().File("f", "").Done(), fs, fs.root()).ok());
  const NodeId file = test::Find(fs, fs.root(), "f");
  EXPECT_EQ(ReadLayerTar(TarBuilder().Dir("a").Done(), fs, file).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace lamina
