#include "sim/scenario/device_words.h"

#include <iterator>
#include <string_view>

#include "absl/strings/str_format.h"
#include "lamina/block/block_device.h"
#include "sim/scenario/content.h"
#include "sim/scenario/pool_source.h"
#include "sim/scenario/text_form.h"

namespace lamina::sim::internal {
namespace {

constexpr std::int64_t kMostBytes = std::int64_t{1} << 50;

// The value of `word` when it begins with `key`.
std::optional<std::string> ValueOf(const std::string& word, std::string_view key) {
  if (!word.starts_with(key)) return std::nullopt;
  return word.substr(key.size());
}

// A multiple of 512 from 0 on.
std::optional<std::uint64_t> BytesOf(const std::string& text) {
  const std::optional<std::int64_t> bytes = ParseNumber(text, true);
  if (!bytes || *bytes < 0 || *bytes > kMostBytes || *bytes % 512 != 0) return std::nullopt;
  return static_cast<std::uint64_t>(*bytes);
}

std::string NotASize(const std::string& word) {
  return absl::StrFormat("'%s': a size is whole sectors of 512 bytes, at most 1024TiB", word);
}

constexpr struct {
  std::string_view name;
  bool ThinPoolFeatures::*flag;
} kFeatures[] = {{"skip_block_zeroing", &ThinPoolFeatures::skip_block_zeroing},
                 {"ignore_discard", &ThinPoolFeatures::ignore_discard},
                 {"no_discard_passdown", &ThinPoolFeatures::no_discard_passdown},
                 {"read_only", &ThinPoolFeatures::read_only},
                 {"error_if_no_space", &ThinPoolFeatures::error_if_no_space}};

bool TakeFeature(const std::string& word, ThinPoolFeatures& features) {
  for (const auto& feature : kFeatures) {
    if (feature.name != word) continue;
    features.*feature.flag = true;
    return true;
  }
  return false;
}

// One word of `pool`; what is wrong with it.
std::string TakePoolWord(const std::string& word, PoolWords& words) {
  if (const auto data = ValueOf(word, "data=")) {
    const auto sectors = SectorsOfSize(*data);
    if (!sectors) return NotASize(word);
    words.data_sectors = sectors;
  } else if (const auto meta = ValueOf(word, "meta=")) {
    words.metadata_sectors = SectorsOfSize(*meta);
    if (!words.metadata_sectors) return NotASize(word);
  } else if (const auto chunk = ValueOf(word, "chunk=")) {
    const auto sectors = SectorsOfSize(*chunk);
    if (!sectors) return NotASize(word);
    words.table.block_sectors = *sectors;
  } else if (const auto low = ValueOf(word, "low_water=")) {
    const auto count = ParseNumber(*low, false);
    if (!count || *count < 0) return absl::StrFormat("'%s' is no number of chunks", *low);
    words.table.low_water_blocks = static_cast<std::uint64_t>(*count);
  } else if (!TakeFeature(word, words.table.features)) {
    return absl::StrFormat(
        "'%s' is none of: data= meta= chunk= low_water= skip_block_zeroing ignore_discard "
        "no_discard_passdown read_only error_if_no_space from",
        word);
  }
  return "";
}

std::string TakeSnapWord(const std::string& word, SnapWords& words) {
  if (const auto id = ValueOf(word, "id=")) {
    const auto number = ParseNumber(*id, false);
    if (!number || *number < 0) return absl::StrFormat("'%s' is no device id", *id);
    words.id = static_cast<std::uint64_t>(*number);
  } else if (const auto cow = ValueOf(word, "cow=")) {
    words.cow_sectors = SectorsOfSize(*cow);
    if (!words.cow_sectors) return NotASize(word);
  } else if (const auto chunk = ValueOf(word, "chunk=")) {
    const auto sectors = SectorsOfSize(*chunk);
    if (!sectors) return NotASize(word);
    words.chunk_sectors = *sectors;
  } else if (word == "store=P") {
    words.store = SnapshotStore::kPersistent;
  } else if (word == "store=PO") {
    words.store = SnapshotStore::kPersistentOverflow;
  } else if (word == "store=N") {
    words.store = SnapshotStore::kTransient;
  } else {
    return absl::StrFormat("'%s' is none of: id= cow= chunk= store=P store=PO store=N", word);
  }
  return "";
}

std::string TakeMkfsWord(const std::string& word, ExtMkfsOptions& options) {
  constexpr std::string_view kVersions[] = {"ext2", "ext3", "ext4"};
  for (std::size_t i = 0; i < std::size(kVersions); ++i) {
    if (word != kVersions[i]) continue;
    options.version = static_cast<ExtVersion>(i);
    return "";
  }
  if (word == "nojournal") {
    options.journal = ExtJournal::kNone;
  } else if (const auto label = ValueOf(word, "label=")) {
    options.label = *label;
  } else if (const auto block = ValueOf(word, "block=")) {
    const auto bytes = BytesOf(*block);
    if (!bytes || *bytes > 65536) return NotASize(word);
    options.block_bytes = static_cast<std::uint32_t>(*bytes);
  } else if (word == "inode=128" || word == "inode=256") {
    options.inode_bytes = word == "inode=128" ? 128 : 256;
  } else {
    return absl::StrFormat(
        "'%s' is none of: ext2 ext3 ext4 block= inode=128 inode=256 label= nojournal", word);
  }
  return "";
}

// One word of `dd`; what is wrong with it.
std::string TakeDdWord(const ArgumentRules& rules, const std::string& word, DdWords& words) {
  const auto take_bytes = [&](const std::string& value, auto& into) -> std::string {
    const auto bytes = BytesOf(value);
    if (!bytes) return NotASize(word);
    into = *bytes;
    return "";
  };
  if (const auto from = ValueOf(word, "if=")) {
    words.from = *from;
  } else if (const auto into = ValueOf(word, "of=")) {
    words.into = *into;
  } else if (const auto skip = ValueOf(word, "skip=")) {
    return take_bytes(*skip, words.skip_bytes);
  } else if (const auto seek = ValueOf(word, "seek=")) {
    return take_bytes(*seek, words.seek_bytes);
  } else if (const auto count = ValueOf(word, "count=")) {
    if (std::string wrong = take_bytes(*count, words.count_bytes); !wrong.empty()) return wrong;
    if (*words.count_bytes > rules.limits->content_bytes) {
      return absl::StrFormat("'%s': more than %d bytes", word, rules.limits->content_bytes);
    }
  } else if (word == "conv=fsync") {
    words.sync = true;
  } else if (words.data) {
    return "data twice";
  } else if (std::string wrong = CheckContent(rules, word); !wrong.empty()) {
    return wrong;
  } else if (ExpandContent(word).size() % kSectorBytes != 0) {
    return absl::StrFormat("%d bytes are no whole sectors of 512 bytes",
                           ExpandContent(word).size());
  } else {
    words.data = word;
  }
  return "";
}

}  // namespace

std::optional<std::uint64_t> SectorsOfSize(const std::string& text) {
  const std::optional<std::uint64_t> bytes = BytesOf(text);
  if (!bytes || *bytes == 0) return std::nullopt;
  return *bytes / kSectorBytes;
}

Problem ReadPoolWords(const ArgumentRules& rules, const Arguments& args, PoolWords& words) {
  for (std::size_t i = 1; i < args.size(); ++i) {
    if (args[i].text == "from") {
      if (words.source) return {{i, "from twice"}};
      if (i + 1 == args.size()) return {{i, "expected from SOURCE"}};
      words.source = args[++i].text;
      std::string wrong = CheckPoolSource(*words.source, rules.limits->host_files);
      if (!wrong.empty()) return {{i, std::move(wrong)}};
    } else if (std::string wrong = TakePoolWord(args[i].text, words); !wrong.empty()) {
      return {{i, std::move(wrong)}};
    }
  }
  for (std::size_t i = 1; words.source && i < args.size(); ++i) {
    if (args[i].text.starts_with("chunk=") || args[i].text.starts_with("meta=")) {
      return {{i, absl::StrFormat("'%s': the source says it", args[i].text)}};
    }
  }
  return std::nullopt;
}

Problem ReadSnapWords(const ArgumentRules&, const Arguments& args, SnapWords& words) {
  for (std::size_t i = 2; i < args.size(); ++i) {
    if (std::string wrong = TakeSnapWord(args[i].text, words); !wrong.empty()) {
      return {{i, std::move(wrong)}};
    }
  }
  if (words.id && words.cow_sectors) return {{0, "id= is of a thin snapshot, cow= is not"}};
  return std::nullopt;
}

Problem ReadMkfsWords(const ArgumentRules&, const Arguments& args, ExtMkfsOptions& options) {
  for (std::size_t i = 1; i < args.size(); ++i) {
    if (std::string wrong = TakeMkfsWord(args[i].text, options); !wrong.empty()) {
      return {{i, std::move(wrong)}};
    }
  }
  return std::nullopt;
}

Problem ReadDdWords(const ArgumentRules& rules, const Arguments& args, DdWords& words) {
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (std::string wrong = TakeDdWord(rules, args[i].text, words); !wrong.empty()) {
      return {{i, std::move(wrong)}};
    }
  }
  if (words.from.empty() && words.into.empty()) return {{0, "no if=DEVICE and no of=DEVICE"}};
  if (words.from.empty() && !words.data) return {{0, "of=DEVICE without data and without if="}};
  if (!words.from.empty() && words.data) return {{0, "if=DEVICE and data"}};
  if (words.into.empty() && !words.count_bytes) return {{0, "if=DEVICE alone needs count="}};
  if (words.data && words.count_bytes) return {{0, "count= with data: the data says how much"}};
  return std::nullopt;
}

std::string DeviceContentText(const std::string& bytes) {
  constexpr int kMostRuns = 8;
  std::string text;
  int runs = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const char byte = bytes[at];
    std::size_t end = bytes.find_first_not_of(byte, at);
    if (end == std::string::npos) end = bytes.size();
    const bool shown = byte == '\0' || (byte > ' ' && byte <= '~');
    if (++runs > kMostRuns || !shown) return ShowContent(bytes);
    if (!text.empty()) text += '+';
    text += byte == '\0' ? absl::StrFormat("zeros:%d", end - at)
                         : absl::StrFormat("fill:%c:%d", byte, end - at);
    at = end;
  }
  return text.empty() ? ShowContent(bytes) : text;
}

}  // namespace lamina::sim::internal
