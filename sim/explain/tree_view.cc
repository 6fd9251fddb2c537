// LayeredTreeText: a tree drawn with lines, in columns.
#include <algorithm>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "lamina/sim/tree.h"
#include "sim/scenario/text_form.h"

namespace lamina::sim {
namespace {

constexpr std::size_t kWidestName = 56;
constexpr std::size_t kSizeWidth = 10;

// The drawing of the branches of the tree, each four columns wide.
struct Drawing {
  std::string_view tee;
  std::string_view corner;
  std::string_view bar;
  std::string_view whiteout;
};
constexpr Drawing kUnicode = {"├── ", "└── ", "│   ", "⊘"};
constexpr Drawing kAscii = {"|-- ", "`-- ", "|   ", "(whiteout)"};

std::string NameText(const TreeEntry& entry) {
  if (entry.path == "/") return "/";
  std::string text = internal::EscapeText(entry.name);
  if (entry.stat && entry.stat->type == FileType::kDirectory) text += '/';
  if (!entry.target.empty()) text += " -> " + internal::EscapeText(entry.target);
  return text;
}

std::string HiddenText(const HiddenCopy& copy) {
  if (copy.type == FileType::kDirectory) {
    if (copy.files == 0) return copy.label + " (no file of its own)";
    return absl::StrFormat("%s (%d file%s, %s)", copy.label, copy.files, copy.files == 1 ? "" : "s",
                           SizeText(copy.bytes));
  }
  if (copy.type != FileType::kRegular) return copy.label;
  if (copy.files == 0) return copy.label + " (linked elsewhere)";
  return absl::StrFormat("%s (%s)", copy.label, SizeText(copy.bytes));
}

std::string KindText(const TreeEntry& entry, const Drawing& drawing) {
  if (entry.whiteout) return std::string(drawing.whiteout);
  if (entry.error) return std::string(ErrnoName(*entry.error));
  if (!entry.stat) return "hidden";
  switch (entry.stat->type) {
    case FileType::kRegular:
      return SizeText(entry.stat->size_bytes);
    case FileType::kDirectory:
    case FileType::kSymlink:
      return "";
    case FileType::kCharDevice:
      return "char";
    case FileType::kBlockDevice:
      return "block";
    case FileType::kFifo:
      return "fifo";
    case FileType::kSocket:
      return "socket";
  }
  return "";
}

// Columns on a terminal: the lines of the drawing are one column each, not three bytes.
std::size_t Width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string Spaces(std::size_t width, std::size_t wanted) {
  return std::string(wanted > width ? wanted - width : 0, ' ');
}

class TreeText {
 public:
  TreeText(TreeSelection selection, const TextStyle& style)
      : selection_(selection), style_(style), drawing_(style.ascii ? kAscii : kUnicode) {}

  std::string Draw(const std::vector<TreeEntry>& entries) {
    for (const TreeEntry& entry : entries) {
      const std::size_t width = 4 * entry.depth + NameText(entry).size();
      if (width <= kWidestName) name_width_ = std::max(name_width_, width);
    }
    label_width_ = 0;
    for (const TreeEntry& entry : entries) {
      label_width_ = std::max(label_width_, absl::StrJoin(entry.labels, " ").size());
    }
    for (const TreeEntry& entry : entries) AddLine(entry);
    return std::move(out_);
  }

 private:
  void AddLine(const TreeEntry& entry) {
    ends_.resize(entry.depth + 1);
    ends_[entry.depth] = entry.last;
    std::string line;
    if (selection_ == TreeSelection::kChanges) {
      line += (entry.change.empty() ? " " : entry.change) + ' ';
    }
    for (std::size_t i = 1; i < entry.depth; ++i) line += ends_[i] ? "    " : drawing_.bar;
    if (entry.depth > 0) line += entry.last ? drawing_.corner : drawing_.tee;
    const std::string name = NameText(entry);
    line += name + Spaces(4 * entry.depth + name.size(), name_width_);
    const std::string kind = KindText(entry, drawing_);
    line += Spaces(Width(kind), kSizeWidth) + kind + "  ";
    line += Labels(entry);
    if (selection_ != TreeSelection::kVisible && !entry.hidden.empty()) {
      line += "  hides ";
      line += absl::StrJoin(entry.hidden, ", ", [](std::string* out, const HiddenCopy& copy) {
        out->append(HiddenText(copy));
      });
    }
    if (!entry.notes.empty()) line += "  " + absl::StrJoin(entry.notes, ", ");
    line.erase(line.find_last_not_of(' ') + 1);
    out_ += line + '\n';
  }

  std::string Labels(const TreeEntry& entry) const {
    if (entry.path == "/") return "merged";
    const std::size_t width = absl::StrJoin(entry.labels, " ").size();
    const std::string painted =
        absl::StrJoin(entry.labels, " ", [&](std::string* out, const std::string& label) {
          out->append(Painted(style_, label, label));
        });
    return painted + Spaces(width, label_width_);
  }

  TreeSelection selection_;
  const TextStyle& style_;
  const Drawing& drawing_;
  std::size_t name_width_ = 16;
  std::size_t label_width_ = 0;
  std::vector<bool> ends_;  // by depth: the line above was the last of its directory
  std::string out_;
};

}  // namespace

std::vector<TreeEntry> SelectEntries(const LayeredTree& tree, TreeSelection selection) {
  std::vector<TreeEntry> chosen;
  for (const TreeEntry& entry : tree.entries) {
    const bool shown = entry.stat.has_value() || entry.error.has_value();
    const bool root = entry.path == "/";
    if (selection == TreeSelection::kVisible && !shown) continue;
    if (selection == TreeSelection::kChanges && entry.change.empty() && !root) continue;
    chosen.push_back(entry);
  }
  // Last is who is followed by nothing of its depth before the tree comes back up.
  std::vector<bool> followed;
  for (auto entry = chosen.rbegin(); entry != chosen.rend(); ++entry) {
    followed.resize(entry->depth + 1);
    entry->last = !followed[entry->depth];
    followed[entry->depth] = true;
  }
  return chosen;
}

std::string LayeredTreeText(const LayeredTree& tree, TreeSelection selection,
                            const TextStyle& style) {
  return TreeText(selection, style).Draw(SelectEntries(tree, selection)) + TotalsText(tree.totals) +
         '\n';
}

std::string TotalsText(const TreeTotals& totals) {
  const std::uint64_t percent =
      totals.stored_bytes == 0 ? 0 : totals.hidden_bytes * 100 / totals.stored_bytes;
  const bool small = percent == 0 && totals.hidden_bytes > 0;
  return absl::StrFormat("visible %s   stored %s   hidden %s (%s %%)",
                         SizeText(totals.visible_bytes), SizeText(totals.stored_bytes),
                         SizeText(totals.hidden_bytes), small ? "<1" : std::to_string(percent));
}

}  // namespace lamina::sim
