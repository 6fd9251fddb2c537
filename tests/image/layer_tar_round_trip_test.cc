// Tree -> tar -> tree is the identity, with libarchive as the writer: a second implementation of
// the format, in every variant and packing it has.
#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_format.h"
#include "lamina/image/layer_tar.h"
#include "tests/image/tree_text.h"

namespace lamina {
namespace {

using test::TreeDetail;

const Credentials kRoot = RootCredentials();
const OpContext kOp{kRoot, kSimulationStart, {}};

// Looking at a file must not change its atime here.
const MemFsOptions kNoAtime{.atime = AtimePolicy::kNever};

// ── A drawn tree ───────────────────────────────────────────────────────────────────────────────

enum class Richness { kPlain, kEverything };  // v7 and ustar know whole seconds and no xattrs

class TreeDrawer {
 public:
  TreeDrawer(MemFs& fs, unsigned seed, Richness richness)
      : fs_(fs), random_(seed), rich_(richness == Richness::kEverything) {}

  void Draw(int node_count) {
    dirs_.push_back(fs_.root());
    for (int index = 0; index < node_count; ++index) DrawNode(index);
    for (const NodeId node : nodes_) DrawAttributes(node);
    for (const NodeId node : dirs_) DrawAttributes(node);
  }

 private:
  unsigned Below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }

  void DrawNode(int index) {
    static constexpr FileType kTypes[] = {FileType::kRegular,     FileType::kDirectory,
                                          FileType::kSymlink,     FileType::kCharDevice,
                                          FileType::kBlockDevice, FileType::kFifo};
    const std::string name = absl::StrFormat("%s%d", rich_ ? "n\xc3\xa4-" : "n", index);
    const Place place{dirs_[Below(static_cast<unsigned>(dirs_.size()))], name};
    if (!nodes_.empty() && Below(6) == 0) {
      ASSERT_TRUE(fs_.Link(kOp, nodes_[Below(static_cast<unsigned>(nodes_.size()))], place).ok());
      return;
    }
    NewNode node;
    node.type = kTypes[Below(6)];
    node.rdev = MakeDevice(1 + Below(200), Below(200));
    const std::string target(1 + Below(rich_ ? 300 : 90), 't');
    if (node.type == FileType::kSymlink) node.symlink_target = target;
    const Result<NodeId> made = fs_.Create(kOp, place, node);
    ASSERT_TRUE(made.ok());
    if (node.type == FileType::kRegular) DrawBody(*made);
    (node.type == FileType::kDirectory ? dirs_ : nodes_).push_back(*made);
  }

  void DrawBody(NodeId node) {
    const Result<HandleId> handle = fs_.Open(kOp, node, OpenFlags{Access::kWrite, false, false});
    ASSERT_TRUE(handle.ok());
    std::string body(Below(3) * 511 + Below(3), '\0');
    for (char& byte : body) byte = static_cast<char>(random_());
    // Holes of whole pages before and after.
    const std::uint64_t offset = rich_ ? Below(3) * 65536 : 0;
    ASSERT_TRUE(fs_.Write(kOp, *handle, offset, AsBytes(body)).ok());
    fs_.Close(*handle);
    AttrChange size;
    size.size_bytes = offset + body.size() + (rich_ ? Below(2) * 20000 : 0);
    ASSERT_TRUE(fs_.SetAttr(kOp, node, size).ok());
  }

  Instant DrawTime() {
    const std::int64_t nanoseconds = rich_ ? Below(1'000'000'000) : 0;
    return InstantFromSeconds(1 + Below(2'000'000'000), nanoseconds);
  }

  void DrawAttributes(NodeId node) {
    const FileType type = fs_.GetAttr(kOp, node)->type;
    AttrChange owner;
    owner.uid = Below(100'000);
    owner.gid = Below(100'000);
    AttrChange rest;
    if (type != FileType::kSymlink) rest.mode = static_cast<std::uint16_t>(Below(010000));
    rest.mtime = DrawTime();
    rest.atime = rich_ ? DrawTime() : *rest.mtime;
    ASSERT_TRUE(fs_.SetAttr(kOp, node, owner).ok());
    ASSERT_TRUE(fs_.SetAttr(kOp, node, rest).ok());
    if (rich_ && Below(2) == 0) {
      const std::string value(Below(40), static_cast<char>(Below(256)));
      ASSERT_TRUE(fs_.SetXattr(kOp, node, "trusted.drawn", value, XattrMode::kSet).ok());
    }
    ASSERT_TRUE(fs_.SetChangeTime(node, rich_ ? DrawTime() : *rest.mtime).ok());
  }

  MemFs& fs_;
  std::mt19937 random_;
  const bool rich_;
  std::vector<NodeId> dirs_;
  std::vector<NodeId> nodes_;
};

// ── Written by libarchive ──────────────────────────────────────────────────────────────────────

struct Variant {
  const char* name;
  int (*format)(archive*);
  int (*filter)(archive*);
  Richness richness;
};
void PrintTo(const Variant& variant, std::ostream* out) { *out << variant.name; }

class TarWriter {
 public:
  explicit TarWriter(const Variant& variant, const std::string& path) : tar_(archive_write_new()) {
    EXPECT_EQ(variant.format(tar_), ARCHIVE_OK);
    EXPECT_EQ(variant.filter(tar_), ARCHIVE_OK);
    // Names as bytes: otherwise libarchive translates them from the charset of the locale.
    if (variant.richness == Richness::kEverything) {
      EXPECT_EQ(archive_write_set_options(tar_, "hdrcharset=BINARY"), ARCHIVE_OK);
    }
    EXPECT_EQ(archive_write_open_filename(tar_, path.c_str()), ARCHIVE_OK)
        << archive_error_string(tar_);
  }
  ~TarWriter() {
    EXPECT_EQ(archive_write_close(tar_), ARCHIVE_OK) << archive_error_string(tar_);
    archive_write_free(tar_);
  }

  // Parents before children.
  void WriteTree(MemFs& fs) {
    std::map<std::string, NodeId> open{{".", fs.root()}};
    while (!open.empty()) {
      const auto [path, node] = *open.begin();
      open.erase(open.begin());
      const Stat stat = *fs.GetAttr(kOp, node);
      if (stat.type == FileType::kDirectory) {
        const HandleId handle = *fs.Open(kOp, node, {});
        EXPECT_TRUE(fs.ReadDir(kOp, handle, {}, [&](const DirEntry& entry) {
                        open.emplace(path + "/" + std::string(entry.name), entry.node);
                        return true;
                      }).ok());
        fs.Close(handle);
      }
      WriteNode(fs, stat, path);
    }
  }

 private:
  static void SetTypeAndLink(archive_entry* entry, MemFs& fs, const Stat& stat) {
    static const std::map<FileType, unsigned> kTypes{
        {FileType::kRegular, AE_IFREG},     {FileType::kDirectory, AE_IFDIR},
        {FileType::kSymlink, AE_IFLNK},     {FileType::kCharDevice, AE_IFCHR},
        {FileType::kBlockDevice, AE_IFBLK}, {FileType::kFifo, AE_IFIFO}};
    archive_entry_set_filetype(entry, kTypes.at(stat.type));
    archive_entry_set_rdevmajor(entry, DeviceMajor(stat.rdev));
    archive_entry_set_rdevminor(entry, DeviceMinor(stat.rdev));
    if (stat.type == FileType::kSymlink) {
      archive_entry_copy_symlink(entry, fs.ReadLink(kOp, stat.node)->c_str());
    }
  }

  static void SetAttributes(archive_entry* entry, MemFs& fs, const Stat& stat) {
    archive_entry_set_perm(entry, stat.mode);
    archive_entry_set_uid(entry, stat.uid);
    archive_entry_set_gid(entry, stat.gid);
    const auto seconds = [](Instant time) { return time.virtual_ns / kNanosecondsPerSecond; };
    const auto rest = [](Instant time) { return time.virtual_ns % kNanosecondsPerSecond; };
    archive_entry_set_mtime(entry, seconds(stat.mtime), rest(stat.mtime));
    archive_entry_set_atime(entry, seconds(stat.atime), rest(stat.atime));
    archive_entry_set_ctime(entry, seconds(stat.ctime), rest(stat.ctime));
    const std::vector<std::string> keys = *fs.ListXattr(kOp, stat.node);
    for (const std::string& key : keys) {
      const std::string value = *fs.GetXattr(kOp, stat.node, key);
      archive_entry_xattr_add_entry(entry, key.c_str(), value.data(), value.size());
    }
  }

  static void SetHoles(archive_entry* entry, MemFs& fs, const Stat& stat) {
    const HandleId handle = *fs.Open(kOp, stat.node, {});
    std::uint64_t at = 0;
    while (true) {
      const Result<std::uint64_t> data = fs.Seek(kOp, handle, at, SeekKind::kData);
      if (!data.ok()) break;
      at = *fs.Seek(kOp, handle, *data, SeekKind::kHole);
      archive_entry_sparse_add_entry(entry, static_cast<la_int64_t>(*data),
                                     static_cast<la_int64_t>(at - *data));
    }
    fs.Close(handle);
  }

  void WriteNode(MemFs& fs, const Stat& stat, const std::string& path) {
    archive_entry* entry = archive_entry_new();
    archive_entry_copy_pathname(entry, path.c_str());
    SetTypeAndLink(entry, fs, stat);
    SetAttributes(entry, fs, stat);
    const auto [first, is_first] = names_.emplace(stat.node, path);
    std::string body;
    if (!is_first) {
      archive_entry_copy_hardlink(entry, first->second.c_str());
    } else if (stat.type == FileType::kRegular) {
      body = *test::ContentOf(fs, stat.node);
      archive_entry_set_size(entry, static_cast<la_int64_t>(body.size()));
      SetHoles(entry, fs, stat);
    }
    EXPECT_EQ(archive_write_header(tar_, entry), ARCHIVE_OK)
        << path << ": " << archive_error_string(tar_);
    EXPECT_EQ(archive_write_data(tar_, body.data(), body.size()),
              static_cast<la_ssize_t>(body.size()));
    archive_entry_free(entry);
  }

  archive* tar_;
  std::map<NodeId, std::string> names_;
};

// ── The property ───────────────────────────────────────────────────────────────────────────────

constexpr Variant kVariants[] = {
    {"Ustar", archive_write_set_format_ustar, archive_write_add_filter_none, Richness::kPlain},
    {"Gnu", archive_write_set_format_gnutar, archive_write_add_filter_none, Richness::kPlain},
    {"Pax", archive_write_set_format_pax, archive_write_add_filter_none, Richness::kEverything},
    {"PaxGzip", archive_write_set_format_pax, archive_write_add_filter_gzip, Richness::kEverything},
    {"PaxZstd", archive_write_set_format_pax, archive_write_add_filter_zstd, Richness::kEverything},
    {"PaxXz", archive_write_set_format_pax, archive_write_add_filter_xz, Richness::kEverything},
    {"PaxBzip2", archive_write_set_format_pax, archive_write_add_filter_bzip2,
     Richness::kEverything},
};

class LayerTarRoundTrip : public testing::TestWithParam<std::tuple<Variant, unsigned>> {
 protected:
  LayerTarRoundTrip()
      : path_(absl::StrFormat("%s/round_trip_%s_%d.tar", testing::TempDir(),
                              std::get<0>(GetParam()).name, std::get<1>(GetParam()))) {}
  ~LayerTarRoundTrip() override { std::remove(path_.c_str()); }

  std::string path_;
};

TEST_P(LayerTarRoundTrip, GivesTheSameTree) {
  const auto& [variant, seed] = GetParam();
  MemFs before(kNoAtime);
  TreeDrawer(before, seed, variant.richness).Draw(120);
  TarWriter(variant, path_).WriteTree(before);

  MemFs after(kNoAtime);
  const absl::StatusOr<LayerTarReport> report = ReadLayerTarFile(path_, after, after.root());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(test::TreeText(after, after.root(), TreeDetail::kFull),
            test::TreeText(before, before.root(), TreeDetail::kFull));
}

INSTANTIATE_TEST_SUITE_P(All, LayerTarRoundTrip,
                         testing::Combine(testing::ValuesIn(kVariants),
                                          testing::Values(1U, 2U, 3U)),
                         [](const auto& param) {
                           return absl::StrFormat("%s%d", std::get<0>(param.param).name,
                                                  std::get<1>(param.param));
                         });

// A packed tar with one byte missing, or one byte wrong, is an error, never a shorter layer.
class LayerTarPacked : public LayerTarRoundTrip {
 protected:
  std::string WriteAndLoad() {
    const auto& [variant, seed] = GetParam();
    MemFs before(kNoAtime);
    TreeDrawer(before, seed, variant.richness).Draw(40);
    TarWriter(variant, path_).WriteTree(before);
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
};

TEST_P(LayerTarPacked, CutShortIsAnError) {
  const std::string packed = WriteAndLoad();
  for (std::size_t part = 1; part < 16; ++part) {
    MemFs fs;
    const std::string_view cut = std::string_view(packed).substr(0, packed.size() * part / 16);
    ASSERT_FALSE(ReadLayerTar(cut, fs, fs.root()).ok()) << "first " << cut.size() << " bytes";
    ASSERT_EQ(test::TreeText(fs, fs.root(), TreeDetail::kBrief), "");
  }
}

INSTANTIATE_TEST_SUITE_P(Packed, LayerTarPacked,
                         testing::Combine(testing::ValuesIn(kVariants), testing::Values(9U)),
                         [](const auto& param) { return std::get<0>(param.param).name; });

TEST(LayerTarFile, MissingFileIsNamed) {
  MemFs fs;
  const absl::StatusOr<LayerTarReport> report =
      ReadLayerTarFile("no/such/layer.tar", fs, fs.root());
  EXPECT_EQ(report.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(report.status().message().find("no/such/layer.tar"), absl::string_view::npos);
}

}  // namespace
}  // namespace lamina
