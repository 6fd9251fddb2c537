// The worked example of devicemapper.md §16.1, as thin_dump prints it.
#ifndef LAMINA_TESTS_BLOCK_THIN_EXAMPLE_H_
#define LAMINA_TESTS_BLOCK_THIN_EXAMPLE_H_

namespace lamina {

inline constexpr char kThinExample[] =
    R"(<superblock uuid="" time="1" transaction="3" flags="0" version="2" data_block_size="128" nr_data_blocks="16">
  <device dev_id="1" mapped_blocks="4" transaction="0" creation_time="0" snap_time="1">
    <single_mapping origin_block="0" data_block="4" time="1"/>
    <range_mapping origin_begin="1" data_begin="1" length="3" time="0"/>
  </device>
  <device dev_id="2" mapped_blocks="5" transaction="1" creation_time="1" snap_time="1">
    <range_mapping origin_begin="0" data_begin="0" length="4" time="0"/>
    <single_mapping origin_block="9" data_block="5" time="1"/>
  </device>
</superblock>
)";

}  // namespace lamina
#endif  // LAMINA_TESTS_BLOCK_THIN_EXAMPLE_H_
