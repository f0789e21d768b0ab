# The messages that TileDB clients and REST servers exchange (libtiledb 2.30).
#
# Names, ids, ordinals and types are the protocol and must not change; a newer
# client may only add fields at the end of a struct. The prose and the order of
# the declarations are ours. The Go annotations are added by ../generate.sh when
# it compiles this file, so that plain Cap'n Proto tools can load it as it is.

@0xb57d9224b587d87f;

# ---------------------------------------------------------------------------
# Small pieces used everywhere

struct KV {
  key   @0 :Text;
  value @1 :Text;
}

# Client settings. Every open, query and maintenance body carries all of them,
# rest.token among them: never log or store one whole.
struct Config {
  entries @0 :List(KV);
}

# Values of one datatype: exactly one member is set. Non-empty domains always
# use uint8, holding the raw little-endian bytes.
struct DomainArray {
  int8    @0 :List(Int8);
  uint8   @1 :List(UInt8);
  int16   @2 :List(Int16);
  uint16  @3 :List(UInt16);
  int32   @4 :List(Int32);
  uint32  @5 :List(UInt32);
  int64   @6 :List(Int64);
  uint64  @7 :List(UInt64);
  float32 @8 :List(Float32);
  float64 @9 :List(Float64);
}

struct Map(Key, Value) {
  entries @0 :List(Entry);
  struct Entry {
    key   @0 :Key;
    value @1 :Value;
  }
}

struct MapUInt32 {
  entries @0 :List(Entry);
  struct Entry {
    key   @0 :Text;
    value @1 :UInt32;
  }
}

struct MapInt64 {
  entries @0 :List(Entry);
  struct Entry {
    key   @0 :Text;
    value @1 :Int64;
  }
}

struct MapUInt64 {
  entries @0 :List(Entry);
  struct Entry {
    key   @0 :Text;
    value @1 :UInt64;
  }
}

struct MapFloat64 {
  entries @0 :List(Entry);
  struct Entry {
    key   @0 :Text;
    value @1 :Float64;
  }
}

struct MapEnumeration {
  entries @0 :List(Entry);
  struct Entry {
    key   @0 :Text;
    value @1 :List(Enumeration);
  }
}

struct Stats {
  timers   @0 :MapFloat64;
  counters @1 :MapUInt64;
}

struct Error {
  code    @0 :Int64;
  message @1 :Text;
}

struct TileDBVersion {
  major @0 :UInt16;
  minor @1 :UInt16;
  patch @2 :UInt16;
}

# Answer of GET /v4/capabilities. A server that answers 404 there is spoken to
# in the older URI form.
struct RestCapabilities {
  deployedTileDBVersion               @0 :TileDBVersion;
  minimumSupportedTileDBClientVersion @1 :TileDBVersion;
}

enum ObjectType {
  array @0;
  group @1;
}

struct ObjectInfoResponse {
  objectType @0 :ObjectType;
}

# ---------------------------------------------------------------------------
# Array schemas

struct FloatScaleConfig {
  scale     @0 :Float64;
  offset    @1 :Float64;
  byteWidth @2 :UInt64;  # 1, 2, 4 or 8
}

struct WebpConfig {
  quality  @0 :Float32;
  format   @1 :UInt8;    # colour space
  lossless @2 :Bool;
  extentX  @3 :UInt16;   # pixels of a tile
  extentY  @4 :UInt16;
}

# One step of a pipeline. Which member of data is used depends on the type:
# compressors int32 (level), windowed filters uint32 (window), delta filters
# uint8 (reinterpreted type).
struct Filter {
  type @0 :Text;
  data :union {
    text    @1  :Text;
    bytes   @2  :Data;
    int8    @3  :Int8;
    uint8   @4  :UInt8;
    int16   @5  :Int16;
    uint16  @6  :UInt16;
    int32   @7  :Int32;
    uint32  @8  :UInt32;
    int64   @9  :Int64;
    uint64  @10 :UInt64;
    float32 @11 :Float32;
    float64 @12 :Float64;
  }
  floatScaleConfig @13 :FloatScaleConfig;
  webpConfig       @14 :WebpConfig;
}

struct FilterPipeline {
  filters @0 :List(Filter);
}

struct Attribute {
  cellValNum        @0 :UInt32;  # 4294967295: any number of values
  name              @1 :Text;    # empty: the anonymous attribute
  type              @2 :Text;
  filterPipeline    @3 :FilterPipeline;
  fillValue         @4 :Data;
  nullable          @5 :Bool;
  fillValueValidity @6 :Bool;
  order             @7 :Text;
  enumerationName   @8 :Text;
}

# A closed list of labels. Offsets (8 little-endian bytes each) only where
# values vary in length.
struct Enumeration {
  name       @0 :Text;
  pathName   @1 :Text;  # file name below __schema/__enumerations
  type       @2 :Text;
  cellValNum @3 :UInt32;
  ordered    @4 :Bool;
  data       @5 :Data;
  offsets    @6 :Data;
}

struct Dimension {
  name           @0 :Text;
  nullTileExtent @1 :Bool;
  type           @2 :Text;
  tileExtent :union {
    int8    @3  :Int8;
    uint8   @4  :UInt8;
    int16   @5  :Int16;
    uint16  @6  :UInt16;
    int32   @7  :Int32;
    uint32  @8  :UInt32;
    int64   @9  :Int64;   # also dates and times
    uint64  @10 :UInt64;
    float32 @11 :Float32;
    float64 @12 :Float64;
  }
  domain         @13 :DomainArray;  # low, high; null for strings
  filterPipeline @14 :FilterPipeline;
}

struct Domain {
  cellOrder  @0 :Text;
  dimensions @1 :List(Dimension);
  tileOrder  @2 :Text;
  type       @3 :Text;
}

struct DimensionLabel {
  dimensionId   @0 :UInt32;
  name          @1 :Text;
  uri           @2 :Text;
  attributeName @3 :Text;
  order         @4 :Text;
  type          @5 :Text;
  cellValNum    @6 :UInt32;
  external      @7 :Bool;
  relative      @8 :Bool;
  schema        @9 :ArraySchema;
}

struct NDRectangle {
  ndranges @0 :List(SubarrayRanges);  # one range for each dimension
}

struct CurrentDomain {
  version @0 :UInt32;
  type    @1 :Text;
  union {
    emptyCurrentDomain @2 :Void;
    ndRectangle        @3 :NDRectangle;
  }
}

struct ArraySchema {
  arrayType              @0  :Text;
  attributes             @1  :List(Attribute);
  capacity               @2  :UInt64;  # cells in a sparse tile
  cellOrder              @3  :Text;
  coordsFilterPipeline   @4  :FilterPipeline;
  domain                 @5  :Domain;
  offsetFilterPipeline   @6  :FilterPipeline;
  tileOrder              @7  :Text;
  uri                    @8  :Text;
  version                @9  :List(Int32);  # exactly one element
  allowsDuplicates       @10 :Bool;
  validityFilterPipeline @11 :FilterPipeline;
  name                   @12 :Text;  # __t_t_uuid
  timestampRange         @13 :List(UInt64);
  dimensionLabels        @14 :List(DimensionLabel);
  enumerations           @15 :List(Enumeration);  # the loaded ones
  enumerationPathMap     @16 :List(KV);           # all of them: name, file
  currentDomain          @17 :CurrentDomain;
}

struct ArrayCreateRequest {
  uri    @0 :Text;  # empty: the default storage
  schema @1 :ArraySchema;
}

struct ArraySchemaEvolution {
  attributesToDrop      @0 :List(Text);
  attributesToAdd       @1 :List(Attribute);
  timestampRange        @2 :List(UInt64);
  enumerationsToAdd     @3 :List(Enumeration);
  enumerationsToDrop    @4 :List(Text);
  enumerationsToExtend  @5 :List(Enumeration);
  currentDomainToExpand @6 :CurrentDomain;
}

struct LoadArraySchemaRequest {
  config              @0 :Config;
  includeEnumerations @1 :Bool;
}

struct LoadArraySchemaResponse {
  schema          @0 :ArraySchema;
  arraySchemasAll @1 :Map(Text, ArraySchema);
}

struct LoadEnumerationsRequest {
  config       @0 :Config;
  enumerations @1 :List(Text);  # empty: every one of every schema
}

struct LoadEnumerationsResponse {
  enumerations    @0 :List(Enumeration);  # of the latest schema
  allEnumerations @1 :MapEnumeration;     # by schema name
}

# ---------------------------------------------------------------------------
# Open arrays

struct NonEmptyDomain {
  nonEmptyDomain @0 :DomainArray;
  isEmpty        @1 :Bool;
  sizes          @2 :List(UInt64);  # length of a string's low end
}

struct NonEmptyDomainList {
  nonEmptyDomains @0 :List(NonEmptyDomain);  # one for each dimension
}

struct ArrayMetadata {
  struct MetadataEntry {
    key      @0 :Text;
    type     @1 :Text;
    valueNum @2 :UInt32;
    value    @3 :Data;
    del      @4 :Bool;
  }
  entries @0 :List(MetadataEntry);
}

# What a listing of the array found. Every URI is relative to the array.
struct ArrayDirectory {
  struct TimestampedURI {
    uri            @0 :Text;
    timestampStart @1 :UInt64;
    timestampEnd   @2 :UInt64;
  }
  struct DeleteAndUpdateTileLocation {
    uri             @0 :Text;
    conditionMarker @1 :Text;
    offset          @2 :UInt64;
  }
  unfilteredFragmentUris         @0  :List(Text);
  consolidatedCommitUris         @1  :List(Text);
  arraySchemaUris                @2  :List(Text);
  latestArraySchemaUri           @3  :Text;
  arrayMetaUrisToVacuum          @4  :List(Text);
  arrayMetaVacUrisToVacuum       @5  :List(Text);
  commitUrisToConsolidate        @6  :List(Text);
  commitUrisToVacuum             @7  :List(Text);
  consolidatedCommitUrisToVacuum @8  :List(Text);
  arrayMetaUris                  @9  :List(TimestampedURI);
  fragmentMetaUris               @10 :List(Text);
  deleteAndUpdateTileLocation    @11 :List(DeleteAndUpdateTileLocation);
  timestampStart                 @12 :UInt64;
  timestampEnd                   @13 :UInt64;
}

struct Array {
  endTimestamp         @0  :UInt64;
  queryType            @1  :Text;  # overwrites the mode of the client's array
  uri                  @2  :Text;
  startTimestamp       @3  :UInt64;
  arraySchemaLatest    @4  :ArraySchema;
  arraySchemasAll      @5  :Map(Text, ArraySchema);
  nonEmptyDomain       @6  :NonEmptyDomainList;
  arrayMetadata        @7  :ArrayMetadata;
  arrayDirectory       @8  :ArrayDirectory;
  fragmentMetadataAll  @9  :List(FragmentMetadata);
  openedAtEndTimestamp @10 :UInt64;
}

struct ArrayOpen {
  config    @0 :Config;
  queryType @1 :Text;
}

# ---------------------------------------------------------------------------
# Fragments

# Lists of this struct have one element for each field of the schema, in the
# order of the fragment footer.
struct FragmentMetadata {
  # Where the parts of the fragment metadata file begin, in bytes.
  struct GenericTileOffsets {
    rtree                            @0  :UInt64;
    tileOffsets                      @1  :List(UInt64);
    tileVarOffsets                   @2  :List(UInt64);
    tileVarSizes                     @3  :List(UInt64);
    tileValidityOffsets              @4  :List(UInt64);
    tileMinOffsets                   @5  :List(UInt64);
    tileMaxOffsets                   @6  :List(UInt64);
    tileSumOffsets                   @7  :List(UInt64);
    tileNullCountOffsets             @8  :List(UInt64);
    fragmentMinMaxSumNullCountOffset @9  :UInt64;
    processedConditionsOffsets       @10 :UInt64;
  }
  fileSizes             @0  :List(UInt64);
  fileVarSizes          @1  :List(UInt64);
  fileValiditySizes     @2  :List(UInt64);
  fragmentUri           @3  :Text;
  hasTimestamps         @4  :Bool;
  hasDeleteMeta         @5  :Bool;
  sparseTileNum         @6  :UInt64;
  tileIndexBase         @7  :UInt64;
  tileOffsets           @8  :List(List(UInt64));
  tileVarOffsets        @9  :List(List(UInt64));
  tileVarSizes          @10 :List(List(UInt64));
  tileValidityOffsets   @11 :List(List(UInt64));
  tileMinBuffer         @12 :List(List(UInt8));
  tileMinVarBuffer      @13 :List(List(UInt8));
  tileMaxBuffer         @14 :List(List(UInt8));
  tileMaxVarBuffer      @15 :List(List(UInt8));
  tileSums              @16 :List(List(UInt8));
  tileNullCounts        @17 :List(List(UInt64));
  fragmentMins          @18 :List(List(UInt8));
  fragmentMaxs          @19 :List(List(UInt8));
  fragmentSums          @20 :List(UInt64);
  fragmentNullCounts    @21 :List(UInt64);
  version               @22 :UInt32;
  timestampRange        @23 :List(UInt64);
  lastTileCellNum       @24 :UInt64;
  nonEmptyDomain        @25 :NonEmptyDomainList;
  rtree                 @26 :Data;
  hasConsolidatedFooter @27 :Bool;
  gtOffsets             @28 :GenericTileOffsets;
  arraySchemaName       @29 :Text;
}

struct FragmentInfoRequest {
  config @0 :Config;
}

struct SingleFragmentInfo {
  arraySchemaName @0 :Text;
  meta            @1 :FragmentMetadata;
  fragmentSize    @2 :UInt64;  # bytes of all its files
}

struct FragmentInfo {
  arraySchemaLatest @0 :ArraySchema;
  arraySchemasAll   @1 :Map(Text, ArraySchema);
  fragmentInfo      @2 :List(SingleFragmentInfo);
  toVacuum          @3 :List(Text);
}

struct ArrayDeleteFragmentsListRequest {
  config  @0 :Config;
  entries @1 :List(Text);
}

struct ArrayDeleteFragmentsTimestampsRequest {
  config         @0 :Config;
  startTimestamp @1 :UInt64;
  endTimestamp   @2 :UInt64;
}

struct ArrayConsolidationRequest {
  config    @0 :Config;
  fragments @1 :List(Text);
}

struct ArrayVacuumRequest {
  config @0 :Config;
}

struct ConsolidationPlanRequest {
  config       @0 :Config;
  fragmentSize @1 :UInt64;
}

struct ConsolidationPlanResponse {
  fragmentUrisPerNode @0 :List(List(Text));
}

# ---------------------------------------------------------------------------
# Subarrays and conditions

# Ranges on one dimension: the pairs (low, high) one after another. Strings
# give the length of each pair and of its low end.
struct SubarrayRanges {
  type             @0 :Text;
  hasDefaultRange  @1 :Bool;
  buffer           @2 :Data;
  bufferSizes      @3 :List(UInt64);
  bufferStartSizes @4 :List(UInt64);
}

struct LabelSubarrayRanges {
  dimensionId @0 :UInt32;
  name        @1 :Text;
  ranges      @2 :SubarrayRanges;
}

struct Subarray {
  layout            @0 :Text;
  ranges            @1 :List(SubarrayRanges);
  stats             @2 :Stats;
  relevantFragments @3 :List(UInt32);
  labelRanges       @4 :List(LabelSubarrayRanges);
  attributeRanges   @5 :Map(Text, SubarrayRanges);
  coalesceRanges    @6 :Bool = true;
}

struct ConditionClause {
  fieldName      @0 :Text;
  value          @1 :Data;
  op             @2 :Text;
  useEnumeration @3 :Bool;
}

# A leaf compares a field with a value, or with a set given by data and
# offsets; an expression combines its children.
struct ASTNode {
  isExpression   @0 :Bool;
  fieldName      @1 :Text;
  value          @2 :Data;
  op             @3 :Text;
  children       @4 :List(ASTNode);
  combinationOp  @5 :Text;
  useEnumeration @6 :Bool;
  offsets        @7 :Data;
}

# The clauses are the older form. They are filled too where the tree is a flat
# conjunction.
struct Condition {
  clauses              @0 :List(ConditionClause);
  clauseCombinationOps @1 :List(Text);
  tree                 @2 :ASTNode;
}

# ---------------------------------------------------------------------------
# Queries

struct AttributeBufferHeader {
  name                                 @0 :Text;
  fixedLenBufferSizeInBytes            @1 :UInt64;
  varLenBufferSizeInBytes              @2 :UInt64;
  validityLenBufferSizeInBytes         @3 :UInt64;
  originalFixedLenBufferSizeInBytes    @4 :UInt64;  # capacities of a read
  originalVarLenBufferSizeInBytes      @5 :UInt64;
  originalValidityLenBufferSizeInBytes @6 :UInt64;
}

struct AttributeBufferSize {
  attribute     @0 :Text;
  offsetBytes   @1 :UInt64;
  dataBytes     @2 :UInt64;
  validityBytes @3 :UInt64;
}

struct SubarrayPartitioner {
  struct PartitionInfo {
    subarray        @0 :Subarray;
    start           @1 :UInt64;
    end             @2 :UInt64;
    splitMultiRange @3 :Bool;
  }
  struct State {
    start       @0 :UInt64;
    end         @1 :UInt64;
    singleRange @2 :List(Subarray);
    multiRange  @3 :List(Subarray);
  }
  subarray             @0 :Subarray;
  budget               @1 :List(AttributeBufferSize);
  current              @2 :PartitionInfo;
  state                @3 :State;
  memoryBudget         @4 :UInt64;
  memoryBudgetVar      @5 :UInt64;
  memoryBudgetValidity @6 :UInt64;
  stats                @7 :Stats;
}

struct ReadState {
  overflowed          @0 :Bool;
  unsplittable        @1 :Bool;
  initialized         @2 :Bool;
  subarrayPartitioner @3 :SubarrayPartitioner;
}

struct QueryReader {
  layout             @0 :Text;
  subarray           @1 :Subarray;
  readState          @2 :ReadState;
  condition          @3 :Condition;
  stats              @4 :Stats;
  dimLabelIncreasing @5 :Bool;
}

struct ResultCellSlab {
  fragIdx @0 :UInt32;
  tileIdx @1 :UInt64;
  start   @2 :UInt64;
  length  @3 :UInt64;
}

struct FragmentIndex {
  tileIdx @0 :UInt64;
  cellIdx @1 :UInt64;
}

struct ReadStateIndex {
  resultCellSlab        @0 :List(ResultCellSlab);
  fragTileIdx           @1 :List(FragmentIndex);
  doneAddingResultTiles @2 :Bool;
}

struct ReaderIndex {
  layout    @0 :Text;
  subarray  @1 :Subarray;
  readState @2 :ReadStateIndex;
  condition @3 :Condition;
  stats     @4 :Stats;
}

struct Delete {
  condition @0 :Condition;
  stats     @1 :Stats;
}

struct SingleCoord {
  coords       @0 :List(List(UInt8));
  sizes        @1 :List(UInt64);
  singleOffset @2 :List(UInt64);
}

struct CompletedPart {
  eTag       @0 :Text;
  partNumber @1 :UInt64;
}

struct BufferedChunk {
  uri  @0 :Text;
  size @1 :UInt64;
}

struct MultiPartUploadState {
  partNumber     @0 :UInt64;
  uploadId       @1 :Text;
  status         @2 :Text;
  completedParts @3 :List(CompletedPart);
  bufferedChunks @4 :List(BufferedChunk);
}

struct GlobalWriteState {
  cellsWritten          @0 :MapUInt64;
  fragMeta              @1 :FragmentMetadata;
  lastCellCoords        @2 :SingleCoord;
  lastHilbertValue      @3 :UInt64;
  multiPartUploadStates @4 :Map(Text, MultiPartUploadState);
}

struct UnorderedWriterState {
  isCoordsPass @0 :Bool;
  cellPos      @1 :List(UInt64);
  coordDups    @2 :List(UInt64);
  fragMeta     @3 :FragmentMetadata;
}

struct Writer {
  checkCoordDups       @0 :Bool;
  checkCoordOOB        @1 :Bool;
  dedupCoords          @2 :Bool;
  subarray             @3 :DomainArray;  # older form, one range
  subarrayRanges       @4 :Subarray;
  stats                @5 :Stats;
  globalWriteStateV1   @6 :GlobalWriteState;
  unorderedWriterState @7 :UnorderedWriterState;
}

struct WrittenFragmentInfo {
  uri            @0 :Text;
  timestampRange @1 :List(UInt64);
}

struct Aggregate {
  outputFieldName @0 :Text;
  inputFieldName  @1 :Text;
  name            @2 :Text;
}

struct QueryChannel {
  default    @0 :Bool;
  aggregates @1 :List(Aggregate);
}

# One query, before and after it ran. On the wire the buffers follow it, in the
# order of attributeBufferHeaders.
struct Query {
  attributeBufferHeaders      @0  :List(AttributeBufferHeader);
  layout                      @1  :Text;
  status                      @2  :Text;
  type                        @3  :Text;
  writer                      @4  :Writer;
  reader                      @5  :QueryReader;
  array                       @6  :Array;
  totalFixedLengthBufferBytes @7  :UInt64;
  totalVarLenBufferBytes      @8  :UInt64;
  totalValidityBufferBytes    @9  :UInt64;
  varOffsetsMode              @10 :Text;  # these three: superseded by config
  varOffsetsAddExtraElement   @11 :Bool;
  varOffsetsBitsize           @12 :Int32;
  config                      @13 :Config;
  stats                       @14 :Stats;
  readerIndex                 @15 :ReaderIndex;
  denseReader                 @16 :QueryReader;
  delete                      @17 :Delete;
  writtenFragmentInfo         @18 :List(WrittenFragmentInfo);
  writtenBuffers              @19 :List(Text);
  orderedDimLabelReader       @20 :QueryReader;
  channels                    @21 :List(QueryChannel);
}

struct EstimatedResultSize {
  struct ResultSize {
    sizeFixed    @0 :Float64;
    sizeVar      @1 :Float64;
    sizeValidity @2 :Float64;
  }
  struct MemorySize {
    sizeFixed    @0 :UInt64;
    sizeVar      @1 :UInt64;
    sizeValidity @2 :UInt64;
  }
  resultSizes @0 :Map(Text, ResultSize);
  memorySizes @1 :Map(Text, MemorySize);
}

struct QueryPlanRequest {
  config @0 :Config;
  query  @1 :Query;
}

struct QueryPlanResponse {
  queryLayout    @0 :Text;
  strategyName   @1 :Text;
  arrayType      @2 :Text;
  attributeNames @3 :List(Text);
  dimensionNames @4 :List(Text);
}

# ---------------------------------------------------------------------------
# Groups

struct GroupMember {
  uri      @0 :Text;
  type     @1 :Text;
  relative @2 :Bool;
  name     @3 :Text;
}

# The body of a group open. The answer is a GroupDetails by itself.
struct Group {
  struct GroupDetails {
    members    @0 :List(GroupMember);
    metadata   @1 :ArrayMetadata;
    logicalURI @2 :Text;
  }
  config @0 :Config;
  group  @1 :GroupDetails;
}

struct GroupMetadata {
  config   @0 :Config;
  metadata @1 :ArrayMetadata;
}

struct GroupUpdate {
  struct GroupUpdateDetails {
    membersToRemove @0 :List(Text);
    membersToAdd    @1 :List(GroupMember);
  }
  config      @0 :Config;
  groupUpdate @1 :GroupUpdateDetails;
}

struct GroupCreate {
  struct GroupCreateDetails {
    uri @0 :Text;
  }
  config       @0 :Config;
  groupDetails @1 :GroupCreateDetails;
}
